# SPDX-License-Identifier: Apache-2.0
# The package as a whole: examples in docstrings, what it exports, the README's example, and the
# wheel's promises about the library inside.
import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import weft

ROOT = Path(__file__).resolve().parents[2]
MODULES = ["weft", "weft._struct", "weft.activation", "weft.append", "weft.attention",
           "weft.device", "weft.logprobs", "weft.merge", "weft.norm", "weft.packbits", "weft.rope",
           "weft.sampling", "weft.topk", "weft.verify"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0 and result.attempted > 0


def test_public_names_are_there():
    for name in weft.__all__:
        if name not in ("flashinfer", "viz", "integrations"):
            assert getattr(weft, name) is not None
    assert "Attention" in dir(weft)
    with pytest.raises(AttributeError, match="no attribute 'Atention'"):
        weft.Atention
    assert (Path(weft.__file__).parent / "py.typed").exists()


def test_devices_are_named():
    assert weft.num_cuda_devices() >= 0
    host = weft.Target.host()
    assert host.num_threads >= 1 and repr(host).startswith("Target(")
    assert "sm_90" in repr(weft.Target.h200())
    if weft.num_cuda_devices() == 0:
        with pytest.raises(weft.DeviceError):
            weft.CudaBackend(0)
    with pytest.raises(ValueError, match="device: expected a CudaBackend"):
        weft.Rope(weft.RopeConfig(num_qo_heads=1, head_dim=8), weft.Target.h200())


def readme_example():
    text = (ROOT / "README.md").read_text()
    return re.search(r"```python\n(.*?)```", text, re.S)[1]


def test_the_example_of_the_readme_runs():
    done = subprocess.run([sys.executable, "-c", readme_example()], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "(5, 32, 128)" in done.stdout


def test_the_library_exports_the_c_abi_alone_and_needs_only_the_c_library():
    library = Path(weft.__file__).parent / "libweft.so"
    elf = pytest.importorskip("elftools.elf.elffile")
    with open(library, "rb") as file:
        made = elf.ELFFile(file)
        names = {s.name for s in made.get_section_by_name(".dynsym").iter_symbols()
                 if s["st_shndx"] != "SHN_UNDEF" and s.name}
        needed = {tag.needed for tag in made.get_section_by_name(".dynamic").iter_tags()
                  if tag.entry.d_tag == "DT_NEEDED"}
    assert "weft_attention_run" in names and all(name.startswith("weft_") for name in names)
    assert needed <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0",
                      "libdl.so.2", "ld-linux-aarch64.so.1"}
