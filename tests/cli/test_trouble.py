"""Messages and exit codes of the command line when something is wrong."""

import contextlib
import ctypes
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import faults
from releases import MODEL, config_of
from xgamma.analysis import Analysis
from xgamma.cli.main import VERBS
from xgamma.errors import ExitCode, StoreError

TRACEBACK = "Traceback (most recent call last)"


# --- help


def test_help_lists_the_verbs_and_exit_codes(xgamma):
    done = xgamma("--help")
    assert done.code == 0
    assert done.err == ""
    assert all(f"\n  {verb} " in done.out for verb in VERBS)
    told = " ".join(done.out.partition("Exit codes:")[2].split())
    assert told == " ".join(f"{int(code)} {code.meaning}" for code in ExitCode)
    assert max(map(len, done.out.splitlines())) <= 80
    assert xgamma("-h").out == done.out


def test_exit_codes_are_stable_and_the_documentation_includes_their_table():
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 130]
    pages = Path(__file__).resolve().parents[2] / "docs"
    assert "{include} _generated/exit-codes.md" in (pages / "cli.md").read_text(encoding="utf-8")
    assert "for code in ExitCode" in (pages / "generated_tables.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(xgamma, verb):
    done = xgamma(verb, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: xgamma {verb} [OPTIONS]")
    assert max(map(len, done.out.splitlines())) <= 80
    explained = done.out.partition("Options:")[0].split("\n", 2)[2].strip()
    assert explained[0].isupper()
    assert explained.endswith(".")


def test_version(xgamma):
    done = xgamma("--version")
    assert done.code == 0
    assert done.out.startswith("xgamma, version ")


# --- usage: 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runn"], "There is no verb 'runn'. Did you mean 'run'?"),
        (["expotr"], "There is no verb 'expotr'. Did you mean 'export'?"),
        (["fly"], f"There is no verb 'fly'. Known: {', '.join(sorted(VERBS))}."),
        (["run"], "Missing argument 'CONFIG'."),
        (
            ["run", "a.yaml", "--until", "fitt"],
            "'fitt' is not one of 'observations', 'datasets', 'excess_map'",
        ),
        (["run", "a.yaml", "--untill", "fit"], "--untill"),
        (["ingest", "here", "there", "--obs-id", "x"], "'x' is not a valid integer."),
    ],
)
def test_wrong_usage_exits_with_2(xgamma, words, message):
    done = xgamma(*words)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert TRACEBACK not in done.err


# --- configuration: 2, input: 3


def test_a_bad_configuration_exits_with_2_and_a_line_for_each_problem(xgamma, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("datasets: {geom: {axes: {energy: {min: 3 TeV, max: 1 TeV}}}}\nfitt: {}")
    for verb in ("check", "plan", "run"):
        done = xgamma(verb, path)
        assert done == (2, "", f"Error: {path}: fitt: there is no such key. Did you mean 'fit'?\n")
    path.write_text("datasets: {geom: {axes: {energy: {min: 3 TeV, nbins: 0}}}}")
    assert xgamma("check", path).err == (
        f"Error: {path}: datasets.geom.axes.energy.nbins: expected a whole number of at least 1, got 0.\n"
    )


def test_missing_input_exits_with_3(xgamma, tmp_path, changed):
    done = xgamma("run", tmp_path / "no.yaml")
    assert done == (3, "", f"Error: There is no configuration file {tmp_path / 'no.yaml'}.\n")
    asked = changed(f"observations: {{datastore: {tmp_path}/no}}")
    done, place = xgamma("run", asked), f"{asked}: observations.datastore"
    assert done.code == 3
    assert done.err == f"Error: {place}: expected a file or folder, but there is no {tmp_path}/no.\n"
    done = xgamma("ingest", tmp_path / "no", tmp_path / "store")
    assert done.code == 3
    assert not (tmp_path / "store").exists()


def test_an_error_in_models_names_the_file_and_the_place(xgamma, changed):
    asked = changed("models: {components: [{name: crab, type: SkyModel, spectral: {type: Powr}}]}")
    for verb in ("check", "plan", "run"):
        done = xgamma(verb, asked)
        assert done.code == 2
        assert done.err.startswith(f"Error: {asked}: models: components[0]: There is no spectral model called 'Powr'.")


def test_a_configuration_may_come_from_standard_input(xgamma, changed, monkeypatch):
    def given(content):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return "-"

    text = changed().read_bytes()
    for verb in ("check", "plan"):
        assert xgamma(verb, given(text)).code == 0
    assert "datasets" in xgamma("run", given(text), "--until", "datasets").out
    assert xgamma("check", given(b"fit: 3")).err.startswith("Error: standard input: fit: expected a mapping")
    assert xgamma("check", given(b"\xff")).err.startswith("Error: standard input: expected text in UTF-8; ")
    missing = xgamma("check", given(text.replace(b"datastore: ", b"datastore: /no")))
    assert missing.err.startswith("Error: standard input: observations.datastore: expected a file")


def test_a_folder_of_something_else_does_not_become_a_store(xgamma, config, tiny_release, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"")
    refused = f"{tmp_path}/photos holds other files, such as cat.png, and is no store. Use a new or an empty folder"
    for words in (["run", config, "--store"], ["ingest", tiny_release]):
        done = xgamma(*words, tmp_path / "photos")
        assert (done.code, done.out) == (3, "")
        assert done.err == f"Error: {refused} as store.\n"
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.png"]


def test_hidden_files_are_no_other_files(xgamma, tiny_release, tmp_path):
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    (tmp_path / "disk" / ".DS_Store").write_bytes(b"")
    assert xgamma("ingest", tiny_release, tmp_path / "disk").code == 0


def test_an_unknown_run_exits_with_2(xgamma, changed, tiny_release, tmp_path):
    asked = changed("observations: {obs_ids: [1, 77]}")
    done = xgamma("run", asked)
    assert done.code == 2
    assert (
        done.err == f"Error: {asked}: observations.obs_ids: the datastore has no run 77; it has 3 runs from 1 to 3.\n"
    )
    done = xgamma("ingest", tiny_release, tmp_path / "store", "--obs-id", 77)
    assert done.code == 2
    assert "the datastore has no run 77" in done.err


def test_an_outdir_that_is_a_file_exits_with_2(xgamma, config, tmp_path):
    (tmp_path / "file").write_text("")
    for outdir in (tmp_path / "file", tmp_path / "file" / "below"):
        done = xgamma("run", config, "--outdir", outdir)
        assert done.code == 2
        assert done.err == f"Error: --outdir: expected a folder, but {tmp_path}/file is a file; give another folder.\n"


def test_until_a_step_that_is_not_configured_exits_with_2(xgamma, changed):
    path = changed("steps: [observations, datasets]")
    done = xgamma("run", path, "--until", "fit")
    assert done.code == 2
    assert done.err == (
        "Error: --until: the configuration does not ask for fit; its steps are observations, datasets.\n"
    )


# --- tracebacks


def test_a_traceback_is_printed_with_debug_only(xgamma, tmp_path):
    quiet = xgamma("run", tmp_path / "no.yaml")
    assert TRACEBACK not in quiet.err
    for words in (["--debug", "run", tmp_path / "no.yaml"], ["run", tmp_path / "no.yaml", "--debug"]):
        loud = xgamma(*words)
        assert loud.code == quiet.code
        assert loud.err.startswith(TRACEBACK)
        assert loud.err.endswith(quiet.err)


def test_an_unexpected_exception_exits_with_1_and_asks_for_a_report(xgamma, config, monkeypatch):
    def broken(path):
        raise ZeroDivisionError("in here")

    monkeypatch.setattr("xgamma.analysis.preview.preview", broken)
    done = xgamma("check", config)
    assert done == (
        1,
        "",
        "Error: ZeroDivisionError: in here. This is a defect of xgamma: run again with --debug and report it.\n",
    )
    assert "in broken" in xgamma("check", config, "--debug").err


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_no_color_is_honoured(monkeypatch, xgamma, tmp_path, variable, coloured):
    monkeypatch.setenv("NO_COLOR", variable)
    monkeypatch.setattr("click._compat.isatty", lambda stream: True)
    assert ("\x1b[" in xgamma("run", tmp_path / "no.yaml").err) == coloured


# --- some runs were not used: 4


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.truncate_file, "run_000002.fits"),
        (faults.remove_hdu, "has no HDU 'GTI'"),
        (faults.spoil_energies, "the event list holds energies or coordinates that are not finite and positive"),
        (faults.point_away, "the on-region lies outside the field of view"),
    ],
)
def test_a_faulty_run_exits_with_4_and_is_named(xgamma, changed, own_release, fault, reason):
    fault(own_release, 2)
    path = changed(release=own_release)
    done = xgamma("run", path, "--until", "datasets", "--json")
    assert done.code == 4
    [run] = done.document["unused_runs"]
    assert (run["name"], run["stage"] in ("ingest", "reduce")) == ("2", True)
    assert reason in run["message"]
    assert done.err.startswith("Run 2 was not used: ")
    assert reason in done.err
    assert len(done.err.splitlines()) == 1


def test_faulty_runs_alone_exit_with_3(xgamma, changed, own_release):
    faults.remove_events(own_release, 2)
    path = changed("observations: {obs_ids: [2]}", release=own_release)
    done = xgamma("run", path)
    assert done == (3, "", f"Error: {path}: No run can be used. Run 2: the event list is empty.\n")


def test_check_names_runs_that_will_not_be_used(xgamma, changed, own_release):
    faults.point_away(own_release, 2)
    faults.remove_index_row(own_release, 3, "psf")
    done = xgamma("check", changed(release=own_release))
    assert done.code == 0
    assert done.out.startswith("Found:\n")
    assert done.err.splitlines()[:2] == [
        "Run 3 will not be used: it has no psf, which observations.required_irf asks for.",
        "Run 2 will not be used: the region is 22.5 deg from its pointing, more than 2.5 deg "
        "(datasets.geom.selection.offset_max).",
    ]
    assert set(xgamma("check", changed(release=own_release), "--json").document["unusable_runs"]) == {"2", "3"}


def test_ingest_of_faulty_runs(xgamma, own_release, tmp_path, caplog):
    faults.truncate_file(own_release, 2)
    done = xgamma("ingest", own_release, tmp_path / "store")
    assert done.code == 4
    assert done.out == "2 runs ingested, 0 were there, 1 could not be read.\n"
    assert [m[:22] for m in caplog.messages if "left out" in m] == ["Run 2 is left out: " + str(tmp_path)[:3]]
    alone = xgamma("ingest", own_release, tmp_path / "other", "--obs-id", 2)
    assert alone.code == 3
    assert alone.err.startswith("Error: No run can be used. Run 2: ")


# --- the fit did not converge: 5


def test_a_fit_that_does_not_converge_exits_with_5_and_prints_all_results(xgamma, changed, tmp_path):
    parameters = MODEL["components"][0]["spectral"]["parameters"]
    lost = [parameters[0], {**parameters[1], "value": 1e-100, "frozen": True}, parameters[2]]
    spectral = {"type": "PowerLawSpectralModel", "parameters": lost}
    path = changed(f"models: {{components: [{{name: crab, type: SkyModel, spectral: {spectral}}}]}}")
    done = xgamma("run", path)
    assert done.code == 5
    assert "Fit: NOT CONVERGED (" in done.out
    assert done.err.startswith("Error: The fit did not converge. Optimization failed.")
    assert done.err.endswith("Try other start values, or freeze a parameter.\n")
    assert (tmp_path / "out" / "flux-points.fits").exists()
    again = xgamma("run", path, "--json")
    assert again.code == 5
    assert again.document["converged"] is False
    assert again.document["computed"] == []


def test_a_fit_that_cannot_be_made_exits_with_5_and_writes_the_datasets(xgamma, changed, tmp_path):
    path = changed("fit: {fit_range: {min: 10 TeV, max: 14 TeV}}")
    done = xgamma("run", path)
    assert done.code == 5
    assert done.err.startswith(
        f"Error: {path}: No bin is left to fit: the fit range and the safe masks exclude them all."
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "config.yaml",
        "counts.png",
        "datasets.fits.gz",
        "store",
    ]


def test_a_file_of_text_is_refused_without_words_of_python(xgamma, tmp_path):
    (tmp_path / "text").write_text("Not a configuration.")
    done = xgamma("run", tmp_path / "text")
    assert done.code == 2
    assert "Expected a mapping of sections such as 'datasets: {type: 1d}', got text.\n" in done.err


# --- interrupted: 130


def test_an_interrupt_between_steps_exits_with_130(xgamma, config, monkeypatch):
    def interrupted(self, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Analysis, "get_observations", interrupted)
    done = xgamma("run", config)
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "Interrupted; what is in the store stays, and the next run goes on from there."


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cannot schedule new futures after shutdown"),
        StoreError("s3://bucket cannot be read"),
        OSError("interrupted"),
        ImportError("half a module"),
    ],
)
def test_an_interrupt_that_a_library_turns_into_another_error_exits_with_130(xgamma, config, monkeypatch, error):
    def interrupted(self, *_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            raise error from None

    monkeypatch.setattr(Analysis, "get_observations", interrupted)
    done = xgamma("run", config)
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "Interrupted; what is in the store stays, and the next run goes on from there."
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def lost_in_a_callback():
    @ctypes.CFUNCTYPE(None)
    def callback():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    callback()


def lost_in_a_question():
    class Asked:
        def __getattr__(self, name):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    with contextlib.suppress(BaseException):
        _ = Asked().attribute


@pytest.mark.parametrize("lose", [lost_in_a_callback, lost_in_a_question])
def test_an_interrupt_that_is_lost_is_raised_again(lose, xgamma, config, monkeypatch):
    done, hook = [], sys.unraisablehook

    def interrupted(self, *_):
        lose()
        done.append("went on")
        time.sleep(0.5)
        done.append("was not interrupted")

    monkeypatch.setattr(Analysis, "get_observations", interrupted)
    code, out, err = xgamma("run", config)
    assert (code, out) == (130, "")
    assert err.strip() == "Interrupted; what is in the store stays, and the next run goes on from there."
    assert done == ["went on"]
    assert sys.unraisablehook is hook


def test_what_an_interrupt_lets_end_is_not_interrupted_by_it_again(xgamma, config, monkeypatch):
    done = []

    def interrupted(self, *_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        finally:
            time.sleep(0.5)
            done.append("ended")

    monkeypatch.setattr(Analysis, "get_observations", interrupted)
    assert xgamma("run", config).code == 130
    assert done == ["ended"]


def test_an_interrupt_that_is_caught_at_the_end_exits_with_130(xgamma, config, monkeypatch):
    monkeypatch.setattr(Analysis, "get_observations", lambda self, *_: lost_in_a_question())
    for step in ("get_datasets", "get_excess_map", "run_fit", "get_flux_points", "get_light_curve"):
        monkeypatch.setattr(Analysis, step, lambda self: None)
    assert xgamma("run", config).code == 130


def test_an_error_without_an_interrupt_keeps_its_exit_code(xgamma, config, monkeypatch):
    def refused(self, *_):
        raise StoreError("s3://bucket cannot be read.")

    monkeypatch.setattr(Analysis, "get_observations", refused)
    assert xgamma("run", config) == (3, "", f"Error: {config}: s3://bucket cannot be read.\n")


def test_a_run_resumes_after_ctrl_c(xgamma, nights_release, tmp_path):
    path = tmp_path / "my.yaml"
    config_of(nights_release, tmp_path / "out" / "store").write(path)
    # A slow disk, so that there is time to interrupt.
    script = (
        "import time, sys\n"
        "import xgamma.formats.gadf.run as run\n"
        "whole = run.read_run\n"
        "def slowly(entry):\n"
        "    print('reading', file=sys.stderr, flush=True)\n"
        "    time.sleep(1)\n"
        "    return whole(entry)\n"
        "run.read_run = slowly\n"
        "from xgamma.cli import main\n"
        f"main(['run', {str(path)!r}])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    for line in process.stderr:
        if line.startswith("reading"):
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert TRACEBACK not in err
    assert err.endswith("Interrupted; what is in the store stays, and the next run goes on from there.\n")
    assert xgamma("run", path, "--until", "datasets").code == 0


def test_the_entry_point_works_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, "-c", "from xgamma.cli import main; main()"]
    done = subprocess.run([*command, "run", "no.yaml"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    said = "Error: There is no configuration file no.yaml.\nMore: xgamma help missing-input\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


# --- releases where something else is expected

ABOUT_STORES = [
    *([verb] for verb in ("ls", "doctor", "validate", "report", "verify", "tag", "gc", "compact", "retry")),
    *([verb, "WHERE", "fit"] for verb in ("show", "plot", "explain")),
    ["export", "WHERE", "fit", "x.yaml"],
    ["diff", "WHERE", "WHERE"],
]


@pytest.mark.parametrize("words", ABOUT_STORES, ids=lambda words: words[0])
def test_a_release_below_or_instead_of_a_store_is_named(xgamma, tmp_path, words):
    index = tmp_path / "survey" / "index" / "gps" / "hdu-index.fits.gz"
    index.parent.mkdir(parents=True)
    index.touch()
    verb, *given = words if len(words) > 1 else [*words, "WHERE"]
    below = xgamma(verb, *(str(word).replace("WHERE", str(tmp_path / "survey")) for word in given))
    assert below.code == 3
    hint = f"{tmp_path}/survey has no index of runs; there is one in index/gps. Give {tmp_path}/survey/index/gps."
    assert hint in below.err
    if verb != "validate":
        there = xgamma(verb, *(str(word).replace("WHERE", str(index.parent)) for word in given))
        assert there.code == 3
        assert f"It is a release of FITS files: list its runs with xgamma ls {index.parent} --runs, or" in there.err
