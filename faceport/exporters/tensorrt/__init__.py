"""Engines of TensorRT and TensorRT-RTX, built from an ONNX file.

Networks are strongly typed: the graph's types are the engine's, so there is no precision to ask for
and nothing to calibrate. One code path serves TensorRT 10.x, 11.x and TensorRT-RTX; the module is
passed in. Nothing here imports torch or onnx, so that an engine is built on the device.
"""
