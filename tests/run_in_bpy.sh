#!/bin/sh
# Run the Blender tests with another bpy: tests/run_in_bpy.sh 5.0.1 [pytest arguments]
# The argument is a version of the PyPI package bpy (4.2.* and 4.5.* and 5.0.* need Python 3.11, 5.1.* and 5.2.* 3.13)
# or the path of a Python that already has bpy. PYTHON names the interpreter to make the environment with.
set -eu
bpy=${1:?which bpy: a version such as 5.0.1, or a Python that has it}
shift
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -x "$bpy" ]; then
  python=$bpy
else
  case $bpy in 4.* | 5.0*) default=python3.11 ;; *) default=python3.13 ;; esac
  home=$root/.cache/bpy/$bpy
  python=$home/bin/python
  if ! "$python" -c 'import bpy, cv2, pytest, threadpoolctl' 2>/dev/null; then
    "${PYTHON:-$default}" -m venv "$home"
    "$python" -m pip install -qq "bpy==$bpy" pytest scipy onnxruntime threadpoolctl opencv-python-headless 'av==18.1.0' 'pillow==13.0.0'
  fi
fi
cd "$root"
exec "$python" -m pytest tests/blender "$@"
