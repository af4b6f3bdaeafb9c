"""Makes the files beside it: arrays written by NumPy and by the safetensors package. Run: python make.py"""
import numpy as np
from safetensors.numpy import save_file

arrays = {
    "dense/kernel": np.array([[1.5, -2.0, 3.25], [0.0, -0.0, 1e-40]], np.float32),
    "dense/bias": np.array([1.0, np.inf, -1e300], np.float64),
    "step": np.array(7, np.int64),
    "ids": np.array([[-1], [2**31 - 1]], np.int32),
    "empty": np.zeros((0, 3), np.float32),
    "mask": np.array([True, False, True]),
}
fortran = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
np.savez("numpy.npz", **arrays, fortran=fortran)
np.savez_compressed("numpy_compressed.npz", **arrays, fortran=fortran, zeros=np.zeros(1000))
save_file(arrays, "python.safetensors", {"made": "by Python"})
