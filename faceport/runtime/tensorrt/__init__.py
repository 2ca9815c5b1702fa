"""What a TensorRT engine is to faceport: its file, its device, its memory.

    faceport-engine file = one line, a header (JSON: spec, GPU, versions, hashes), the plan

The session is `faceport.runtime.sessions.tensorrt`, the builder `faceport.exporters.tensorrt`. One
code path serves TensorRT 10.x, 11.x and TensorRT-RTX: the module is passed in.
"""
