"""What a catalogue may declare, what raises, and the catalogues of the package."""

from __future__ import annotations

import dataclasses
import hashlib
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_release import ONE

from xgamma.errors import ConfigError, InputError, MissingInputError, UnknownNameError
from xgamma.formats.yaml_documents import mixed_yaml
from xgamma.releases import (
    CatalogFile,
    DataRelease,
    catalog_names,
    read_catalog,
    release,
    release_document,
    release_from_document,
)
from xgamma.simulate import read_plan

SHA = hashlib.sha256(b"x").hexdigest()
HESS = "hess-dl3-dr1"

# --- what may be declared

NAMES = st.from_regex(r"[a-z0-9_][a-z0-9+=@~-]{0,8}(/[a-z0-9_][a-z0-9+=@~-]{0,8}){0,2}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Cs", "Zs", "Cf"]))
FILES = st.builds(
    CatalogFile,
    NAMES,
    st.binary(max_size=8).map(lambda content: hashlib.sha256(content).hexdigest()),
    st.none() | st.integers(1, 10**12),
    st.lists(st.integers(0, 10**9), max_size=3).map(tuple),
)


@st.composite
def releases(draw):
    files = draw(st.lists(FILES, min_size=1, max_size=5, unique_by=lambda file: file.name.split("/")[0]))
    of_all = [file.name for file in files if not file.obs_ids]
    return DataRelease(
        name=draw(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)),
        urls=tuple(draw(st.lists(st.sampled_from(["https://h/a", "s3://bucket/b", "http://h:80/"]), min_size=1))),
        files=tuple(files),
        index=tuple(draw(st.lists(st.sampled_from(of_all)))) if of_all else (),
        doi=draw(st.sampled_from(["", "10.5281/zenodo.1421099"])),
        **{key: draw(TEXTS.filter(str.strip)) for key in ("title", "licence", "citation")},
        **{key: draw(TEXTS) for key in ("description", "attribution", "terms", "instrument")},
    )


@given(releases())
@settings(max_examples=30)
def test_a_release_written_and_read_is_the_same(release):
    assert release_from_document(yaml.safe_load(mixed_yaml(release_document(release)))) == release


@given(releases())
@settings(max_examples=30)
def test_every_run_has_its_files_and_those_of_all_runs_come_always(release):
    of_all = [file for file in release.files if not file.obs_ids]
    for obs_id in release.obs_ids:
        files = release.files_of([obs_id])
        assert list(files[: len(of_all)]) == of_all
        assert {obs_id} == {obs_id} & set.intersection(*(set(file.obs_ids) for file in files[len(of_all) :]))
    assert sorted(release.files_of(None), key=str) == sorted(release.files, key=str)


def declared(release, **changes):
    return {key: value for key, value in {**release_document(release), **changes}.items() if value is not Ellipsis}


# --- what is refused


LEAVING = ["../x", "a/../../x", "/etc/passwd", "..", "a\\..\\b", "C:x", "C:\\x", "~/x", "$HOME/x", "%2e%2e/x"]
AWKWARD = ["", ".", "./a", "a//b", "a/", "a b", "a\nb", "a\0b", "a?b", "é.fits", ".ssh/x", "a/.b", "-rf", "x.", 7, None]


@pytest.mark.parametrize("name", [*LEAVING, *AWKWARD, ["a"], "x.part", "a.part/x"])
def test_a_name_that_leaves_the_folder_or_that_not_every_system_takes_raises(name):
    with pytest.raises(ConfigError, match=r"cannot be the name of a file of a release: (expected a path inside|it en)"):
        CatalogFile(name, SHA)


@pytest.mark.parametrize("digest", [SHA[:-1], SHA.upper(), f"{SHA}0", f"{SHA}\n", "g" * 64, "", None, 10**63])
def test_an_invalid_digest_raises(digest):
    with pytest.raises(ConfigError, match=r"^file a: expected sha256 as text of 64 hex characters 0-9a-f, as sha256s"):
        CatalogFile("a", digest)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size": 0}, "file a: expected size as a whole number of bytes from 1, got 0."),
        ({"size": True}, "file a: expected size as a whole number of bytes from 1, got True."),
        ({"size": 1.5}, "file a: expected size as a whole number of bytes from 1, got 1.5."),
        ({"obs_ids": 7}, "file a: obs_ids: expected a list, got 7."),
        ({"obs_ids": [1, "2"]}, "file a: expected whole numbers as obs_ids, got '2'."),
        ({"obs_ids": [-1]}, "file a: expected whole numbers as obs_ids, got -1."),
    ],
)
def test_sizes_and_runs_are_whole_numbers(changes, sentence):
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}\n"):
        CatalogFile("a", SHA, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "schema: expected 1, got 2."),
        ({"schema": ...}, "schema: expected 1, got None."),
        ({"licence": ...}, "the catalogue: the key 'licence' is missing."),
        ({"license": "x"}, "the catalogue: there is no key 'license'. Did you mean 'licence'?"),
        ({"title": " "}, "title: expected a text, got ' '."),
        ({"terms": 3}, "terms: expected text, got 3."),
        ({"citation": "x\x1b[2J"}, "citation: expected printable text, got 'x\\x1b[2J'."),
        ({"name": "../x"}, "name: expected up to 64 small letters"),
        ({"doi": "https://doi.org/10.5281/x"}, "doi: expected a DOI such as"),
        ({"urls": []}, "urls: expected at least one place where the files are."),
        ({"urls": "https://h/x"}, "urls: expected a list, got 'https://h/x'."),
        ({"urls": ["file:///etc"]}, "file:///etc cannot be opened: expected https://"),
        ({"urls": [3]}, "3 cannot be opened: expected https://"),
        ({"files": []}, "files: expected at least one file, or a simulation."),
        ({"files": {"a": 1}}, "files: expected a list, got {'a': 1}."),
        ({"files": ["a"]}, "files, entry 1: expected a mapping, got 'a'."),
        ({"files": [{"name": "a"}]}, "files, entry 1: the key 'sha256' is missing."),
        ({"files": [{"name": "a", "sha256": SHA, "md5": 1}]}, "files, entry 1: there is no key 'md5'."),
        ({"index": ["gone"]}, "index: expected the names of files that belong to no single run, got 'gone'."),
        ({"index": [ONE]}, f"index: expected the names of files that belong to no single run, got {ONE!r}."),
        ({"index": [["x"]]}, "index: expected the names of files that belong to no single run, got ['x']."),
        ({"simulation": {}}, "simulation: expected a mapping, and no files, urls or index beside it."),
    ],
)
def test_a_catalogue_that_is_not_valid_raises_with_its_path(release, tmp_path, changes, sentence):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(declared(release, **changes)), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_catalog(path)
    assert str(refused.value).startswith(f"The catalogue {path}: {sentence}")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a", "b", "a"], "files: a stands twice; keep one of them."),
        (["data/a", "Data/A"], "files: data/a stands twice; keep one of them."),
        (["a", "a/b"], "files: a is both a file and a folder."),
        (["a/b/c", "a/B"], "files: a/B is both a file and a folder."),
    ],
)
def test_two_files_do_not_share_a_path_on_any_disk(release, names, sentence):
    files = tuple(CatalogFile(name, SHA) for name in names)
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}\n"):
        dataclasses.replace(release, files=files, index=())


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "a: 1\na: 2", "\x00", "a: &a [*a]", "3"])
def test_a_text_that_is_no_catalogue_raises(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^The catalogue .*bad\.yaml: "):
        read_catalog(path)


def test_bytes_and_folders_are_no_catalogues(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "binary.yaml", tmp_path):
        with pytest.raises(InputError, match=r"^The catalogue .* cannot be read: "):
            read_catalog(path)
    with pytest.raises(MissingInputError, match=r"^There is no catalogue .*gone\.yaml\.\n"):
        read_catalog(tmp_path / "gone.yaml")


def test_an_unknown_name_raises_and_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"^There is no release 'hess-dl3-dr2'\. Did you mean 'hess-dl3-dr1'\? "):
        read_catalog("hess-dl3-dr2")


# --- the catalogues that travel with xgamma


@pytest.mark.parametrize("name", catalog_names())
def test_a_catalogue_of_xgamma_is_valid_and_named_after_its_file(name):
    assert read_catalog(name).name == name


def test_a_simulated_release_declares_a_plan_that_can_be_simulated():
    assert read_catalog("simulated-crab").simulation["runs"] == read_plan(release.catalog_path("simulated-crab")).runs
    assert read_catalog("simulated-crab").obs_ids == ()


def test_the_catalogues_of_a_wheel_are_found_before_those_of_a_checkout(tmp_path, monkeypatch):
    installed = tmp_path / "catalogs"
    installed.mkdir()
    (installed / "other.yaml").write_text((release.catalogs_folder() / f"{HESS}.yaml").read_text("utf-8"), "utf-8")
    monkeypatch.setattr(release, "_FOLDERS", (installed, *release._FOLDERS))
    assert catalog_names() == ["other"]
    assert read_catalog("other").name == HESS
    monkeypatch.setattr(release, "_FOLDERS", (tmp_path / "gone",))
    with pytest.raises(MissingInputError, match="installed without its catalogues"):
        catalog_names()


def test_the_files_of_hess_dl3_dr1_are_its_105_runs_its_index_and_its_terms():
    release = read_catalog(HESS)
    assert len(release.obs_ids) == 105
    assert [file.name for file in release.files_of([23523])] == [
        "README.md",
        "README.txt",
        "hdu-index.fits.gz",
        "obs-index.fits.gz",
        "data/hess_dl3_dr1_obs_id_023523.fits.gz",
    ]
    for file in release.files:
        assert file.obs_ids == tuple(map(int, re.findall(r"obs_id_0*(\d+)\.fits\.gz$", file.name)))
    assert "This work made use of data from the H.E.S.S. DL3 public test" in release.attribution


def test_the_catalogue_of_hess_dl3_dr1_names_the_published_digests(reference_numbers):
    lines = (reference_numbers / f"{HESS}.sha256").read_text("utf-8").splitlines()
    published = {name: digest for digest, name in map(str.split, lines) if name.startswith(HESS)}
    assert {f"{HESS}/{file.name}": file.sha256 for file in read_catalog(HESS).files} == published


def test_sizes_and_digests_are_those_of_the_real_files(gammapy_data):
    folder = gammapy_data / HESS
    known = [file for file in read_catalog(HESS).files if file.size is not None and (folder / file.name).is_file()]
    assert len(known) > 4
    for file in known:
        content = (folder / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256), file.name
