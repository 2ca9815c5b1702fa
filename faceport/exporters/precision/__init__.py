"""Precision as a step from ONNX to ONNX: every runtime reads the same typed graph.

    model.onnx --fp16--> model.fp16.onnx
               --int8 (Q/DQ, calibrated)--> model.int8.onnx

Adding one: see `faceport.exporters.registry`.
"""
