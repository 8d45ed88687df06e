"""TRL's own script pattern: its parser reads our configuration, from flags and from YAML."""

from pathlib import Path

import pytest
from trl import ModelConfig, ScriptArguments, TrlParser

from noisygrpo import NoisyGRPOConfig

PARSER = (ScriptArguments, NoisyGRPOConfig, ModelConfig)


def test_flags(tmp_path: Path) -> None:
    words = f"--dataset_name rows --output_dir {tmp_path} --method noisygrpo --report_to none"
    _, config, _ = TrlParser(PARSER).parse_args_and_config(words.split())
    assert config.noise_levels == [0.0, 0.3, 0.6, 0.9]
    assert config.advantage == "bayesian"


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        f"dataset_name: rows\noutput_dir: {tmp_path}\nmethod: noisygrpo\nreport_to: none\n"
        "noise_levels: [0.0, 0.5]\n"
    )
    _, config, _ = TrlParser(PARSER).parse_args_and_config(["--config", str(path)])
    assert config.noise_levels == [0.0, 0.5]


@pytest.mark.parametrize(("given", "meant"), [(True, "group"), (False, "none")])
def test_scale_rewards_in_trls_booleans(tmp_path: Path, given: bool, meant: str) -> None:
    config = NoisyGRPOConfig(output_dir=str(tmp_path), scale_rewards=given, report_to="none")
    assert config.scale_rewards == meant
