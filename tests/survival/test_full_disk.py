"""A disk without space: one error and an exit code, nothing published in part, and the next run resumes."""

import pytest

from command_line import CommandLine
from releases import config_of, whole
from store.written import key, product
from survival.disks import filled, mounted
from survival.stage import abandoned, digests
from xgamma.errors import StoreError
from xgamma.store import Store

FREE = (0, 4_096, 12_288, 40_960, 98_304, 163_840, 245_760)


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "24m") as folder:
        yield folder


@pytest.fixture
def command(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def undisturbed(tiny_release, tmp_path_factory):
    store = tmp_path_factory.mktemp("full") / "undisturbed"
    whole(config_of(tiny_release, store))
    return digests(Store(store))


def assert_one_sentence(ran):
    """The last line of a command says what is wrong and what to do; there is no traceback and no defect."""
    assert ran.code in (2, 3)
    last = ran.err.splitlines()[-1]
    assert last.startswith("Error: ")
    assert "No space left on device" in last or "File too large" in last
    assert "space" in last
    assert "defect" not in ran.err
    assert "Traceback" not in ran.err


def test_a_product_without_space_on_the_disk_is_absent_and_can_be_put_later(disk, witness, survival):
    store = Store(disk / "store")
    with survival("a full disk, put") as tally:
        for number, free in enumerate(FREE[:-1]):
            with tally.trial(f"{free} bytes"):
                with filled(disk, free), pytest.raises(StoreError, match=r"No space left.*Make space") as error:
                    store.put("dl4", key(number), product(number), {})
                assert error.value.exit_code == 3
                assert not store.has("dl4", key(number))
                assert len(store.ls()) == number
                store.put("dl4", key(number), product(number), {})
                witness.assert_whole(store)


@pytest.mark.some_long(2)
@pytest.mark.parametrize("verb", ["ingest", "run"])
def test_a_command_without_space_prints_one_error_and_the_next_resumes(
    verb, disk, tiny_release, tmp_path, command, undisturbed, witness, survival
):
    full = 0
    with survival(f"a full disk, xgamma {verb}") as tally:
        for number, free in enumerate(FREE):
            place = disk / f"store{number}"
            config = config_of(tiny_release, place, f"general: {{outdir: '{tmp_path / 'out'}'}}")
            config.write(tmp_path / "config.yaml", overwrite=True)
            words = ["run", tmp_path / "config.yaml"] if verb == "run" else ["ingest", tiny_release, place]
            with tally.trial(f"{free} bytes"):
                with filled(disk, free):
                    ran = command(*words)
                if ran.code:
                    full += 1
                    assert_one_sentence(ran)
                    witness.assert_whole(Store(place))
                assert command(*words).code == 0
                expected = undisturbed if verb == "run" else {k: v for k, v in undisturbed.items() if k[0] == "dl3"}
                # The command draws pictures too.
                made = {product: found for product, found in digests(Store(place)).items() if product[0] != "picture"}
                assert made == expected
                Store(place).gc(Store.gc.__defaults__[0] * 0)
                assert abandoned(place) == {}
        tally.remark = f"{full} found the disk full"
    assert full >= 4


def test_files_without_space_are_named_and_none_is_written_in_part(disk, tiny_release, tmp_path, command, survival):
    outdir = disk / "out"
    config = config_of(tiny_release, tmp_path / "store", f"general: {{outdir: '{outdir}'}}")
    config.write(tmp_path / "config.yaml")
    whole(config)
    outdir.mkdir()
    with survival("a full disk, files and pictures of xgamma run") as tally:
        for free in FREE:
            with tally.trial(f"{free} bytes"):
                with filled(disk, free):
                    ran = command("run", tmp_path / "config.yaml")
                assert ran.code == 0 or assert_one_sentence(ran) is None
                assert [path for path in outdir.iterdir() if path.name.endswith(".part")] == []
        assert command("run", tmp_path / "config.yaml").code == 0
