import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.kinds.huggingface import HuggingFace
from dateline.errors import UserError

datasets = pytest.importorskip("datasets")
READER = HuggingFace()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def table(*numbers: int) -> dict[str, list[str]]:
    return {"text": [f"t{number}" for number in numbers], "link": [f"u{number}" for number in numbers]}


def read_all(path: str, columns: Columns | None = None) -> list[Record | Unreadable]:
    return [found for unit in READER.units([path]) for found in READER.read(unit, columns or Columns())]


def texts(path: str) -> list[str]:
    return [found.text for found in read_all(path) if isinstance(found, Record)]


@pytest.fixture
def parquet_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(3):
        pq.write_table(pa.table(table(2 * number, 2 * number + 1)), folder / f"train-{number}.parquet")
    pq.write_table(pa.table(table(9)), folder / "test-0.parquet")
    return folder


def test_a_folder_of_files_is_streamed_shard_by_shard(parquet_folder: Path) -> None:
    address = f"hf-dataset://{parquet_folder}"
    assert READER.units([address]) == [(f"{address}#shard={number}/3",) for number in range(3)]
    assert texts(address) == ["t0", "t1", "t2", "t3", "t4", "t5"]
    (second,) = READER.read((f"{address}?split=test#shard=0/1",), Columns())
    assert second == Record("u9", "", "t9", "", "", f"{address}?split=test#shard=0/1:1")
    assert READER.units([f"{address}#shard=1/3"]) == [(f"{address}#shard=1/3",)]


def test_units_of_several_sources_stay_in_order(parquet_folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    datasets.Dataset.from_dict(table(1)).save_to_disk(str(saved))
    address = f"hf-dataset://{parquet_folder}?split=test"
    assert READER.units([str(saved), address]) == [
        (str(saved / "data-00000-of-00001.arrow"),),
        (f"{address}#shard=0/1",),
    ]


def test_a_saved_dataset_is_read_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    datasets.Dataset.from_dict(table(*range(5))).save_to_disk(str(folder), num_shards=2)
    for path in (str(folder), f"hf-dataset://{folder}"):
        assert READER.claims(path)
        assert len(READER.units([path])) == 2
        assert texts(path) == ["t0", "t1", "t2", "t3", "t4"]
    assert read_all(str(folder))[0].source == f"{folder}/data-00000-of-00002.arrow:1"


def test_a_saved_dataset_with_splits_gives_all_or_the_one_named(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    splits = {"train": datasets.Dataset.from_dict(table(1, 2)), "test": datasets.Dataset.from_dict(table(3))}
    datasets.DatasetDict(splits).save_to_disk(str(folder))
    assert READER.claims(str(folder))
    assert texts(str(folder)) == ["t1", "t2", "t3"]
    assert texts(f"hf-dataset://{folder}") == ["t1", "t2"]
    assert texts(f"hf-dataset://{folder}?split=test") == ["t3"]
    with pytest.raises(UserError, match=r"saved: there is no split 'dev'; there are train, test$"):
        read_all(f"hf-dataset://{folder}?split=dev")


def test_only_data_sets_are_claimed(tmp_path: Path) -> None:
    assert READER.claims("hf-dataset://owner/name")
    for path in (str(tmp_path), "s3://bucket/x", "a.jsonl", "x" * 5000):
        assert not READER.claims(path)


@pytest.mark.parametrize(
    "names", [["../../etc/passwd"], ["a/b"], [5], [".."], [""], ["a\0"], ["x" * 300], ["\u00e9" * 200]]
)
def test_a_saved_folder_cannot_name_files_elsewhere(tmp_path: Path, names: list[Any]) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    with pytest.raises(UserError, match=r"state\.json: .* is no name of a file in this folder$"):
        READER.units([str(tmp_path)])
    (tmp_path / "state.json").write_text("[")
    with pytest.raises(UserError, match=r"state\.json: does not list what it should under '_data_files' \("):
        READER.units([str(tmp_path)])


def test_the_fingerprint_is_that_of_the_files(parquet_folder: Path) -> None:
    address = f"hf-dataset://{parquet_folder}"
    before = READER.fingerprint(address)
    assert before == READER.fingerprint(f"{address}?split=test")
    pq.write_table(pa.table(table(7)), parquet_folder / "train-1.parquet")
    assert READER.fingerprint(address) != before
    assert READER.fingerprint(str(parquet_folder)) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("hf-dataset://", "no address of a dataset; write hf-dataset://OWNER/NAME or hf-dataset:///FOLDER"),
        ("hf-dataset://../name", "no address of a dataset; write hf-dataset://OWNER/NAME or hf-dataset:///FOLDER"),
        ("hf-dataset://a/b/c", "no address of a dataset; write hf-dataset://OWNER/NAME or hf-dataset:///FOLDER"),
        ("hf-dataset://a/b?name=x", "unknown 'name'; an address may have config=, split= and revision="),
        ("hf-dataset://a/b?name", "no address of a dataset (bad query field: 'name')"),
        ("hf-dataset://a/b#part=1", "unknown '#part=1'; a shard is written #shard=0/16"),
        ("hf-dataset://[a/b", "no address of a dataset (Invalid IPv6 URL)"),
    ],
)
def test_a_wrong_address_says_so(path: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        READER.units([path])
    assert str(raised.value) == f"{path}: {message}"


def test_a_folder_of_the_same_name_is_not_taken_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is a folder 'owner/name' here too; to read it write hf-dataset:///"):
        READER.units(["hf-dataset://owner/name"])


def test_what_cannot_be_reached_is_one_line(parquet_folder: Path, tmp_path: Path) -> None:
    for path, message in [
        ("hf-dataset://nobody/nothing", "cannot be opened ("),
        (f"hf-dataset://{parquet_folder}?split=dev", "cannot be opened (ValueError: Bad split: dev."),
        (f"hf-dataset://{parquet_folder}?config=x", "cannot be opened (ValueError: BuilderConfig 'x' not found."),
        (f"hf-dataset://{tmp_path}/none", "cannot be opened (FileNotFoundError: "),
    ]:
        with pytest.raises(UserError) as raised:
            READER.units([path])
        assert str(raised.value).startswith(f"{path}: {message}")
        assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"^hf-dataset://nobody/nothing: cannot be reached \("):
        READER.fingerprint("hf-dataset://nobody/nothing")
    with pytest.raises(UserError, match=r"none: there is no folder "):
        READER.fingerprint(f"hf-dataset://{tmp_path}/none")


def test_a_damaged_or_changed_shard_is_named(parquet_folder: Path) -> None:
    address = f"hf-dataset://{parquet_folder}"
    (parquet_folder / "train-1.parquet").write_bytes(b"rubbish")
    assert len(list(READER.read((f"{address}#shard=0/3",), Columns()))) == 2
    with pytest.raises(UserError, match=r"#shard=1/3: cannot be read \(ArrowInvalid: "):
        list(READER.read((f"{address}#shard=1/3",), Columns()))
    with pytest.raises(UserError, match=r"#shard=1/7: the dataset has 3 shards now; build the corpus again$"):
        list(READER.read((f"{address}#shard=1/7",), Columns()))
    with pytest.raises(
        UserError, match=r"#shard=0/3: there is no column 'body' for the text; columns there: text, link;"
    ):
        list(READER.read((f"{address}#shard=0/3",), Columns(text="body")))


def test_a_missing_package_names_the_extra(parquet_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"reading it needs the package 'datasets'; pip install 'dateline\[hub\]'$"):
        READER.units([f"hf-dataset://{parquet_folder}"])
