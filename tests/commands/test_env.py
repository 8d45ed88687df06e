"""`noisygrpo env`."""

from noisygrpo import __version__


def test_env_names_versions(run_cli):
    status, text, _ = run_cli("env")
    assert status == 0
    assert __version__ in text and "trl" in text
