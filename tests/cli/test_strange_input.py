"""What strangers type: pipes, devices, folders and odd names end in one sentence, and no file is read without end."""

import os

import pytest

from xgamma.errors import InputError
from xgamma.formats import local_files
from xgamma.select import read_obs_file
from xgamma.simulate import read_plan
from xgamma.store import Store

VERBS = {
    "check": "configuration file",
    "plan": "configuration file",
    "run": "configuration file",
    "closure": "simulation plan",
}


@pytest.fixture
def strange(tmp_path):
    """The things that are no files of text, and how sentences call them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(bytes(range(128, 256)))
    (tmp_path / "link").symlink_to("/dev/zero")
    return {
        "/dev/zero": "it is a device; expected a file of text.",
        tmp_path / "link": "it is a device; expected a file of text.",
        tmp_path / "pipe": "it is a pipe; expected a file of text.",
        tmp_path / "folder": "it is a folder; expected a file of text.",
        tmp_path / "bytes": "it is no text in UTF-8, by byte 0; expected a file of text.",
    }


@pytest.mark.parametrize("verb", VERBS)
def test_input_that_is_no_text_prints_one_error(xgamma, strange, verb):
    for path, reason in strange.items():
        done = xgamma(verb, path)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"Error: The {VERBS[verb]} {path} cannot be read: {reason}")
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
@pytest.mark.parametrize("name", ["nothing.yaml", "x" * 300, "a/b/c.yaml"])
def test_a_missing_file_prints_one_error(xgamma, tmp_path, verb, name):
    done = xgamma(verb, tmp_path / name)
    assert done.code == 3
    assert done.err.startswith("Error: ")
    assert "defect" not in done.err


def test_a_text_above_the_limit_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(local_files, "LARGEST_TEXT", 1 << 20)
    path = tmp_path / "ids.txt"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(
        InputError, match=r"ids.txt cannot be read as text: it is larger than 1 MB; expected a file of te"
    ):
        read_obs_file(path)
    with pytest.raises(InputError, match=r"simulation plan .*ids.txt cannot be read: it is larger than 1 MB"):
        read_plan(path)


def test_a_text_up_to_the_limit_is_read(tmp_path, monkeypatch):
    path = tmp_path / "ids.txt"
    path.write_text("1\n2\n")
    monkeypatch.setattr(local_files, "LARGEST_TEXT", 4)
    assert read_obs_file(path) == (1, 2)


# --- what a stranger tried

NO_LOG_FILES = {
    "{0}": "{0} is a folder; expected the name of a file.",
    "{0}/text/run.log": "{0}/text/run.log cannot be written: {0}/text is no folder that can be; give another file.",
    "https://host/run.log": "expected a local file, got https://host/run.log.",
}


@pytest.mark.parametrize("name", NO_LOG_FILES)
def test_a_file_for_messages_that_cannot_be_is_refused_by_check_and_run(name, changed, xgamma, tmp_path):
    (tmp_path / "text").write_text("words")
    path = changed(f"general: {{log: {{filename: '{name.format(tmp_path)}'}}}}")
    sentence = f"Error: {path}: general.log.filename: {NO_LOG_FILES[name].format(tmp_path)}\n"
    assert xgamma("check", path) == xgamma("run", path) == (2, "", sentence)


def test_the_folder_of_a_file_for_messages_is_made_as_that_of_results_is(changed, xgamma, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGS", str(tmp_path / "logs"))
    path = changed("general: {log: {filename: $LOGS/today/run.log}}")
    assert xgamma("check", path).code == 0
    assert not (tmp_path / "logs").exists()
    assert xgamma("run", path, "--until", "observations").code == 0
    assert "Ingested 3 runs" in (tmp_path / "logs" / "today" / "run.log").read_text()


@pytest.mark.parametrize("verb", ["ls", "doctor", "verify"])
@pytest.mark.parametrize("text", ["", "- a", "42"])
def test_a_configuration_without_sections_leads_to_no_store(verb, text, xgamma, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    sentence = f"{path}: expected the sections of a configuration; xgamma check {path} says what is wrong."
    assert xgamma(verb, path) == (2, "", f"Error: {sentence}\n")


def test_a_place_without_a_name_is_refused(xgamma):
    assert "expected a place, got an empty name" in xgamma("ls", "").err


@pytest.mark.parametrize("option", ["outdir", "store"])
def test_an_option_that_is_no_place_is_named_as_it_was_typed(option, changed, xgamma):
    done = xgamma("run", changed(), f"--{option}", "")
    assert done.code == 2
    assert f"'--{option}': expected a place, got an empty name" in done.err


def test_a_name_that_no_disk_takes_is_refused(xgamma, tmp_path):
    store = Store(tmp_path / "store")
    done = xgamma("tag", store.url, 201 * "a")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: Expected a name of at most 200 characters, got one of 201.\n"


def test_a_model_without_a_name_is_refused(changed, xgamma):
    path = changed()
    path.write_text(path.read_text().replace("name: crab", "name: ''"))
    assert (
        f"Error: {path}: models.components[0].name: expected the name of the model, got ''."
        in xgamma("check", path).err
    )


def test_a_condition_on_texts_and_numbers_names_its_option(tiny_release, xgamma):
    done = xgamma("ls", tiny_release, "--runs", "--where", "livetime > 'a'")
    assert done.err.startswith("Error: --where: \"livetime > 'a'\" compares a text with a number; ")


def test_options_about_one_release_are_refused_without_it(xgamma, tmp_path):
    done = xgamma("fetch", "--from", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: --from, --into and --obs are about one release: give its NAME; ")


def test_what_to_type_next_is_quoted_for_a_shell(changed, xgamma):
    path = changed(name="my first.yaml")
    assert xgamma("check", path).err.endswith(f"Next: xgamma plan '{path}', xgamma run '{path}'\n")
