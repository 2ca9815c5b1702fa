"""faceport's gallery."""
