import pytest
import torch

from streetclip.errors import ConfigError
from streetclip.models.loading import load_encoder
from streetclip.models.precision import narrowest_tower, resolve_device, resolve_precision

CPU = torch.device("cpu")


def _with_capabilities(monkeypatch, **capabilities):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)


@pytest.mark.parametrize("name", ["amx_bf16", "avx512_bf16", "sve_bf16", "bf16"])
def test_auto_takes_bfloat16_where_the_cpu_multiplies_it(name, monkeypatch):
    _with_capabilities(monkeypatch, avx2=True, **{name: True})
    precision = resolve_precision("auto", CPU)
    assert (precision.name, precision.dtype) == ("bf16", torch.bfloat16)
    assert precision.reason == "bf16: this CPU computes bfloat16 natively"
    assert precision.is_mixed


def test_auto_takes_float32_on_any_other_cpu(monkeypatch):
    _with_capabilities(monkeypatch, avx2=True, avx512_f=True, avx512_bf16=False)
    precision = resolve_precision("auto", CPU)
    assert (precision.name, precision.dtype) == ("fp32", torch.float32)
    assert precision.reason == "fp32: this CPU does not compute bfloat16 natively"
    assert not precision.is_mixed


@pytest.mark.parametrize(
    ("width", "name"), [(8, "fp32"), (64, "fp32"), (127, "fp32"), (128, "bf16"), (1024, "bf16")]
)
def test_auto_leaves_narrow_models_in_float32_on_a_cpu(width, name, monkeypatch):
    _with_capabilities(monkeypatch, avx512_bf16=True)
    precision = resolve_precision("auto", CPU, width)
    assert precision.name == name
    assert precision.is_mixed == (name == "bf16")
    assert precision.reason.startswith(f"{name}: this CPU computes bfloat16 natively")
    assert f"the narrowest tower is {width} wide" in precision.reason
    assert "times as fast" in precision.reason


def test_the_reason_has_the_figures_of_the_nearest_smaller_width(monkeypatch):
    _with_capabilities(monkeypatch, avx512_bf16=True)
    assert "at 64, bfloat16 encodes 0.93 and trains 0.88 times as fast" in (
        resolve_precision("auto", CPU, 100).reason
    )
    assert "at 512, bfloat16 encodes 1.76 and trains 1.66 times as fast" in (
        resolve_precision("auto", CPU, 640).reason
    )


def test_a_narrow_model_stays_in_float32_where_bfloat16_is_emulated(monkeypatch):
    _with_capabilities(monkeypatch, avx2=True)
    assert resolve_precision("auto", CPU, 4096).name == "fp32"


def test_the_width_of_a_model_is_that_of_its_narrower_tower():
    from transformers import CLIPConfig

    def clip(text_width, vision_width):
        text, vision = (
            {"hidden_size": width, "num_attention_heads": 4} for width in (text_width, vision_width)
        )
        return CLIPConfig(text_config=text, vision_config=vision)

    assert narrowest_tower(clip(64, 128)) == 64
    assert narrowest_tower(clip(256, 128)) == 128
    assert narrowest_tower(object()) is None


def test_a_model_is_loaded_in_the_precision_that_its_width_asks_for(clip_folder, monkeypatch):
    _with_capabilities(monkeypatch, avx512_bf16=True)
    narrow = load_encoder(clip_folder, device="cpu")
    assert narrow.precision.name == "fp32"
    assert "narrowest tower is 32 wide" in narrow.precision.reason
    assert load_encoder(clip_folder, device="cpu", precision="bf16").precision.name == "bf16"


def test_bfloat16_asked_for_on_such_a_cpu_is_granted_with_a_word_on_its_speed(monkeypatch):
    _with_capabilities(monkeypatch, avx2=True)
    precision = resolve_precision("bf16", CPU)
    assert precision.name == "bf16"
    assert "slow" in precision.reason


def test_float16_on_a_cpu_is_refused_with_what_to_take():
    with pytest.raises(ConfigError, match="use auto, fp32 or bf16"):
        resolve_precision("fp16", CPU)


def test_an_unknown_precision_is_named():
    with pytest.raises(ConfigError, match="'int8'; expected one of auto, fp32, bf16, fp16"):
        resolve_precision("int8", CPU)


@pytest.mark.parametrize("native", [True, False])
def test_on_a_gpu_auto_follows_its_bfloat16(native, monkeypatch):
    gpu = torch.device("cuda", 0)
    _with_gpus(monkeypatch, 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tiny GPU")
    precision = resolve_precision("auto", gpu)
    assert precision.name == ("bf16" if native else "fp32")
    assert "Tiny GPU" in precision.reason
    assert resolve_precision("fp16", gpu).dtype == torch.float16


def _with_gpus(monkeypatch, count):
    import contextlib

    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())


def test_auto_takes_the_first_gpu_or_the_cpu(monkeypatch):
    _with_gpus(monkeypatch, 2)
    assert resolve_device("auto") == torch.device("cuda", 0)
    _with_gpus(monkeypatch, 0)
    assert resolve_device("auto") == CPU


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    _with_gpus(monkeypatch, 0)
    with pytest.raises(ConfigError, match=r"'cuda', but torch .* finds no CUDA GPU"):
        resolve_device("cuda")
    _with_gpus(monkeypatch, 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match=r"'cuda:2', but torch .* finds 2 CUDA GPU"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "meta", "xla"])
def test_what_is_no_device_of_ours_is_refused(name):
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)
