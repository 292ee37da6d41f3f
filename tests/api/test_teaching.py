"""Teaching from Python: the bytes of the command line."""

from __future__ import annotations

import pytest
from support.toyset import dataset_of, tree, write_pictures

import dsel
from dsel.cli.commands import main

QUICK = {"student": "convnet-3", "image_px": 16, "steps": 5, "batch_size": 4}


def test_teach__the_bytes_of_the_command_line(tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 4})
    made = dsel.teach(f"{source}:per-class=3", tmp_path / "one", progress=False, **QUICK)
    assert made == tmp_path / "one"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    command = ["teach", str(source), "--per-class", "3", "--out", str(tmp_path / "two"), *flags]
    assert main(command) == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_teach__of_an_open_dataset(tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 4})
    dsel.teach(dataset_of(source), tmp_path / "out", validation=None, progress=False, **QUICK)
    assert (tmp_path / "out/config.json").is_file()
    with pytest.raises(dsel.SettingError, match="source_settings must be left out"):
        dsel.teach(
            dataset_of(source), tmp_path / "no", source_settings=dsel.SourceSettings(),
            progress=False,
        )  # fmt: skip
    with pytest.raises(dsel.SettingError, match="unknown setting 'stepz'"):
        dsel.teach(source, tmp_path / "no", progress=False, stepz=3)
