"""Quiets Caffe's log, which buries finetune.py's tables: imported before Caffe, which reads the level only then.

Errors are shown; all of it by `train`, whose report it is, and with --verbose. GLOG_minloglevel in the environment
counts where --verbose is not given.
"""

from __future__ import annotations

import os
import sys

LEVEL, ALL, ERRORS = "GLOG_minloglevel", "0", "2"
TORCH_LEVEL = "TORCH_CPP_LOG_LEVEL"  # PyTorch shares glog, and would lower the level to warnings

if "--verbose" in sys.argv[1:]:
    os.environ[LEVEL] = ALL
elif "train" not in sys.argv[1:]:
    os.environ.setdefault(LEVEL, ERRORS)
    os.environ.setdefault(TORCH_LEVEL, "ERROR")
