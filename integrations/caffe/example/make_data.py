#!/usr/bin/env python3
"""Writes scikit-learn's digits for Caffe's HDF5Data layers: train.h5 (898 images), test.h5 (899), and their lists.

    make_data.py FOLDER
"""

import sys
from pathlib import Path

import h5py
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main(folder: Path) -> None:
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images, labels, test_size=0.5, random_state=0, stratify=labels)
    for name, x, y in (("train", split[0], split[2]), ("test", split[1], split[3])):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["data"] = (x.reshape(-1, 1, 8, 8) / 16).astype("f4")
            file["label"] = y.astype("f4")
        (folder / f"{name}.txt").write_text(f"{name}.h5\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
