"""Settings: plain values of stock's configuration, and what --set takes."""
import numpy as np
import pytest

from accel.merge import settings
from accel.merge.settings import Settings, parse


def config(**values):
    return type("Config", (), dict(settings.ENTER, mode="overlay", face_type=4, **values))


def test_numpy_scalars_become_plain():
    values = Settings.of(config(erode_mask_modifier=np.int64(7), masked_hist_match=np.bool_(False)))
    assert values.erode_mask_modifier == 7 and values.masked_hist_match is False
    assert [type(value) for value in values] == list(settings.TYPES.values())


@pytest.mark.parametrize("change, second, whole", [
    ({}, False, False), ({"mode": "seamless"}, False, False),
    ({"mode": "seamless", "color_transfer_mode": 1}, True, False), ({"mode": "seamless-hist-match"}, True, False),
    ({"motion_blur_power": 1}, True, False), ({"blursharpen_amount": -1}, True, False),
    ({"image_denoise_power": 1}, True, True), ({"bicubic_degrade_power": 1}, True, True),
    ({"color_degrade_power": 1}, False, True), ({"color_degrade_power": 1, "mode": "raw-rgb"}, False, False),
    ({"color_degrade_power": 1, "mode": "original"}, False, False)])
def test_what_a_setting_leads_to(change, second, whole):
    values = Settings.of(config())._replace(**change)
    assert values.has_second_pass == second
    assert values.changes_whole_frame == whole


def test_whether_the_network_is_needed():
    values = Settings.of(config())
    assert values.needs_prediction
    needed = [mode for mode in range(10) if values._replace(mode="original", mask_mode=mode).needs_prediction]
    assert needed == [2, 3, 4, 5, 6, 8, 9]


@pytest.mark.parametrize("text, value", [
    ("mode=seamless", ("mode", "seamless")), ("mode=3", ("mode", "seamless")), ("MODE=1", None),
    ("erode-mask-modifier = -20", ("erode_mask_modifier", -20)),
    ("color_transfer_mode=rct", ("color_transfer_mode", 1)),
    ("color_transfer_mode=None", ("color_transfer_mode", 0)), ("color_transfer_mode=8", ("color_transfer_mode", 8)),
    ("masked_hist_match=n", ("masked_hist_match", False)), ("mask_mode=9", ("mask_mode", 9)),
    ("mode=9", None), ("mask_mode=10", None), ("blur_mask_modifier=-1", None), ("blur_mask_modifier=", None),
    ("face_type=4", None), ("nothing", None), ("=3", None), ("masked_hist_match=7", None),
    ("erode_mask_modifier=1e99", None)])
def test_settings_on_the_command_line(text, value):
    if value is None:
        with pytest.raises(ValueError) as caught:
            parse(text)
        assert len(str(caught.value)) > 10
    else:
        assert parse(text) == value


def test_every_setting_can_be_given():
    for name in settings.ENTER:
        assert parse("{}={}".format(name, int(settings.ENTER[name])))[0] == name
    assert set(settings.ENTER) == set(settings.TYPES) - {"mode", "face_type"}
