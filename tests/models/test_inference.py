import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from streetclip.models.encoder import pooled_token_alone
from streetclip.models.loading import load_encoder


def _pixels(encoder, photos):
    pixels = np.stack([encoder.preprocess(photo) for photo in photos])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_class_token_alone_gives_the_same_bits_for_fewer_operations(
    clip_folder, photos, precision
):
    encoder = load_encoder(clip_folder, device="cpu", precision=precision)
    pixels = _pixels(encoder, [*photos, photos[0]])
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        expected = encoder.image_features(pixels)
    with FlopCounterMode(display=False) as counter:
        assert torch.equal(encoder.encode_images(pixels), expected)
    tokens, width, hidden = 17, 32, 48
    spared = len(pixels) * (tokens - 1) * (width * width + 2 * width * hidden)
    assert counter.get_total_flops() == whole.get_total_flops() - 2 * spared


def test_the_last_layer_is_whole_again_afterwards(clip_folder, photos):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    inputs = {"pixel_values": torch.zeros(2, 3, 32, 32)}
    with torch.no_grad():
        before = encoder.model.get_image_features(**inputs).last_hidden_state
        encoder.encode_images(_pixels(encoder, photos))
        with pytest.raises(TypeError, match="expected uint8"):
            encoder.encode_images(torch.zeros(1, 3, 32, 32))
        after = encoder.model.get_image_features(**inputs).last_hidden_state
        with pooled_token_alone(encoder.model):
            meanwhile = encoder.model.get_image_features(**inputs).last_hidden_state
    assert torch.equal(before, after)
    assert not torch.equal(before, meanwhile)


def test_fixed_weights_are_cast_once_a_block(clip_folder, photos):
    encoder = load_encoder(clip_folder, device="cpu", precision="bf16")
    pixels = _pixels(encoder, photos)
    outside = _bytes_cast(encoder, pixels)
    for _ in range(2):
        with encoder.fixed_weights():
            first = _bytes_cast(encoder, pixels)
            with encoder.fixed_weights():
                second = _bytes_cast(encoder, pixels)
            third = _bytes_cast(encoder, pixels)
        assert 0 < second == third < min(first, outside)
    assert _bytes_cast(encoder, pixels) == outside


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder", "naflex_folder"])
def test_fixed_weights_give_the_bits_of_autocast(kind, photos, request):
    encoder = load_encoder(request.getfixturevalue(kind), device="cpu", precision="bf16")
    pixels = _pixels(encoder, [*photos, photos[0]])
    with torch.no_grad():
        expected = encoder.image_features(pixels)
    with encoder.fixed_weights():
        assert torch.equal(encoder.encode_images(pixels), expected)
        assert torch.equal(encoder.encode_images(pixels), expected)
    assert {each.dtype for each in encoder.model.parameters()} == {torch.float32}


def _step_of_a_fused_optimizer(model):
    """Change weights without raising their versions, as training does."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def _swapped_storage(model):
    for parameter in model.parameters():
        parameter.data = -parameter.data


def _written_through_data(model):
    for parameter in model.parameters():
        parameter.data.mul_(-1)


@pytest.mark.parametrize(
    "change", [_step_of_a_fused_optimizer, _swapped_storage, _written_through_data]
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_change_of_the_weights_shows_at_once_however_it_was_made(
    clip_folder, photos, precision, change
):
    encoder = load_encoder(clip_folder, device="cpu", precision=precision)
    pixels = _pixels(encoder, [*photos, photos[0]])
    with encoder.fixed_weights():
        before = encoder.encode_images(pixels)
    change(encoder.model)
    fresh = load_encoder(clip_folder, device="cpu", precision=precision)
    fresh.model.load_state_dict(encoder.model.state_dict())
    expected = fresh.encode_images(pixels)
    assert torch.equal(encoder.encode_images(pixels), expected)
    with encoder.fixed_weights():
        assert torch.equal(encoder.encode_images(pixels), expected)
    assert not torch.allclose(before, expected, atol=1e-2)


def test_a_block_that_fails_forgets_its_weights(clip_folder, photos):
    encoder = load_encoder(clip_folder, device="cpu", precision="bf16")
    pixels = _pixels(encoder, photos)
    outside = _bytes_cast(encoder, pixels)
    with pytest.raises(TypeError, match="expected uint8"), encoder.fixed_weights():
        encoder.encode_images(pixels.float())
    assert _bytes_cast(encoder, pixels) == outside


def _bytes_cast(encoder, pixels):
    """Bytes that encoding casts from float32 to bfloat16."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Casts(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, function, _types, arguments=(), named=None):
            result = function(*arguments, **(named or {}))
            if function is torch.ops.aten._to_copy.default and result.dtype == torch.bfloat16:
                self.total += result.nbytes
            return result

    with Casts() as casts:
        encoder.encode_images(pixels)
    return casts.total
