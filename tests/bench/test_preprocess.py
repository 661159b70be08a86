"""Images to tensors, against a second way of computing the same."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bench.preprocess import OtherType, Unreadable, prepare, prepare_views, read_image, views
from zoo.fields import InputSpec

MEAN = (78.4263377603, 87.7689143744, 114.895847746)


def spec(**changes):
    values = {"name": "data", "size": (11, 7), "resize": (11, 7), "channels": "BGR"} | changes
    return InputSpec(**values)


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (13, 17, 3), dtype=np.uint8)


@pytest.mark.parametrize("channels", ["BGR", "RGB"])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_channel_mean_equals_opencvs_own_blob(image, channels, scale):
    blob = cv2.dnn.blobFromImage(image, scale, (11, 7), MEAN, swapRB=channels == "RGB", crop=False)
    # OpenCV swaps the mean's channels with the image's, so that the mean is given in the order of the output
    tensor = prepare(image, spec(channels=channels, mean=MEAN, scale=scale))["data"]
    assert tensor.dtype == np.float32
    assert_allclose(tensor[None], blob, rtol=0, atol=1e-4)


def test_mean_image_is_subtracted_before_the_centre_is_cut(image):
    mean_image = np.random.default_rng(2).uniform(0, 255, (3, 9, 15)).astype(np.float32)
    tensor = prepare(image, spec(resize=(15, 9), mean_image="mean"), mean_image)["data"]
    whole = cv2.resize(image, (15, 9), interpolation=cv2.INTER_LINEAR)
    for channel, row, column in np.ndindex(3, 7, 11):
        expected = float(whole[row + 1, column + 2, channel]) - mean_image[channel, row + 1, column + 2]
        assert tensor[channel, row, column] == pytest.approx(expected, abs=1e-4)


def test_a_mean_image_that_is_missing_or_of_another_shape_is_an_error(image):
    with pytest.raises(ValueError, match="mean image"):
        prepare(image, spec(mean_image="mean"))
    with pytest.raises(ValueError, match="mean image"):
        prepare(image, spec(mean_image="mean"), np.zeros((3, 9, 9), np.float32))


def test_no_mean_no_scale_is_the_resized_image_itself(image):
    tensor = prepare(image, spec())["data"]
    assert_array_equal(tensor, cv2.resize(image, (11, 7)).transpose(2, 0, 1).astype(np.float32))


def test_grey_is_one_channel_of_the_television_weights(image):
    (tensor,) = prepare(image, spec(size=(17, 13), resize=(17, 13), channels="GRAY", mean=(100,), scale=0.5)).values()
    assert tensor.shape == (1, 13, 17)
    grey = np.rint(image @ np.array([0.114, 0.587, 0.299]))  # blue, green, red, by ITU-R BT.601
    assert_allclose(tensor[0], (grey - 100) * 0.5, atol=0.5)


@pytest.mark.parametrize("share", [1.4, 2.0, 1.0, 0.6, 0.25])
def test_a_share_of_the_face_is_its_middle_or_has_a_margin_of_repeated_border(image, share):
    height, width = image.shape[:2]
    down, right = (round(side * (share - 1) / 2) for side in (height, width))
    rows = np.clip(np.arange(-down, height + down), 0, height - 1)
    columns = np.clip(np.arange(-right, width + right), 0, width - 1)
    cut = image[np.ix_(rows, columns)]
    size = (cut.shape[1], cut.shape[0])
    tensor = prepare(image, spec(share=share, size=size, resize=size))["data"]
    assert_array_equal(tensor, cut.transpose(2, 0, 1))


def test_each_crop_is_a_tensor_of_its_own(image):
    crops = ({"name": "near", "share": 0.5}, {"name": "far", "share": 1.5})
    tensors = prepare(image, spec(share=0.8, crops=crops, channels="RGB", mean=(1, 2, 3), scale=2))
    assert list(tensors) == ["data", "near", "far"]
    for (name, tensor), share in zip(tensors.items(), (0.8, 0.5, 1.5), strict=True):
        alone = prepare(image, spec(name=name, share=share, channels="RGB", mean=(1, 2, 3), scale=2))
        assert_array_equal(tensor, alone[name])
    assert np.ptp([tensor.mean() for tensor in tensors.values()]) > 1


def test_read_image_gives_bgr(tmp_path):
    blue = np.zeros((5, 7, 3), np.uint8)
    blue[..., 0] = 200
    cv2.imwrite(str(tmp_path / "blue.png"), blue)
    assert_array_equal(read_image(tmp_path / "blue.png"), blue)


def test_a_grey_image_becomes_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((5, 7), 9, np.uint8))
    assert_array_equal(read_image(tmp_path / "grey.png"), np.full((5, 7, 3), 9, np.uint8))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is a text file", "not an image"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n", "not an image"),
        (None, "No such file"),
    ],
)
def test_what_is_no_image_says_why(tmp_path, content, reason):
    path = tmp_path / "face.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unreadable, match=reason) as caught:
        read_image(path)
    assert str(tmp_path) not in str(caught.value)


def test_ten_views_are_four_corners_and_the_centre_and_each_mirrored(image):
    whole = cv2.resize(image, (15, 12)).transpose(2, 0, 1).astype(np.float32)
    given = spec(resize=(15, 12), views="ten", scale=0.5)
    (found,) = prepare_views(image, given).values()
    assert found.shape == (views(given), 3, 7, 11) == (10, 3, 7, 11)
    for view, (top, left) in zip(found, [(0, 0), (0, 4), (5, 0), (5, 4), (2, 2)], strict=False):
        assert_array_equal(view, whole[:, top : top + 7, left : left + 11] / 2)
    assert_array_equal(found[5:], found[:5, :, :, ::-1])
    (centre,) = prepare(image, spec(resize=(15, 12), scale=0.5)).values()
    assert_array_equal(centre, found[4])


def test_a_spec_of_ten_views_is_not_one_tensor(image):
    with pytest.raises(ValueError, match="ten views"):
        prepare(image, spec(resize=(15, 12), views="ten"))


@pytest.mark.parametrize("share", [1.0, 1.4, 3.0, 0.5])
@pytest.mark.parametrize("border", ["photo", "repeat"])
def test_the_margin_of_a_face_in_a_photograph_is_the_photograph_or_its_border_repeated(image, share, border):
    left, top, right, bottom = box = (4, 3, 13, 9)
    across, down = (round(side * (share - 1) / 2) for side in (right - left, bottom - top))
    rows, columns = np.arange(top - down, bottom + down), np.arange(left - across, right + across)
    ends = (0, 12, 0, 16) if border == "photo" else (top, bottom - 1, left, right - 1)
    cut = image[np.ix_(np.clip(rows, *ends[:2]), np.clip(columns, *ends[2:]))]
    size = (cut.shape[1], cut.shape[0])
    tensor = prepare(image, spec(share=share, border=border, size=size, resize=size), box=box)["data"]
    assert_array_equal(tensor, cut.transpose(2, 0, 1))


@pytest.mark.parametrize("kernel", ["nearest", "linear", "area", "cubic", "lanczos"])
def test_each_kernel_is_opencvs_own(image, kernel):
    flag = {"lanczos": cv2.INTER_LANCZOS4}.get(kernel) or getattr(cv2, f"INTER_{kernel.upper()}")
    tensor = prepare(image, spec(kernel=kernel))["data"]
    assert_array_equal(tensor, cv2.resize(image, (11, 7), interpolation=flag).transpose(2, 0, 1))


def test_pillow_averages_where_it_shrinks_and_opencv_does_not():
    stripes = np.zeros((40, 44, 3), np.uint8)
    stripes[::4] = 255
    shrunk = {"size": (11, 10), "resize": (11, 10)}
    pillow, opencv = (prepare(stripes, spec(resizer=one, **shrunk))["data"] for one in ("pillow", "opencv"))
    assert_allclose(pillow[:, 2:-2], 255 / 4, atol=3)
    assert_array_equal(opencv, np.zeros_like(opencv))  # it looks at the second and the third of each four rows
    same = prepare(stripes, spec(size=(44, 40), resize=(44, 40), resizer="pillow"))["data"]
    assert_array_equal(same[0], stripes[..., 0])


def test_a_mean_image_of_ten_views_is_subtracted_before_they_are_cut(image):
    mean = np.random.default_rng(5).uniform(0, 255, (3, 12, 15)).astype(np.float32)
    (found,) = prepare_views(image, spec(resize=(15, 12), views="ten", mean_image="mean"), mean).values()
    whole = cv2.resize(image, (15, 12)).transpose(2, 0, 1) - mean
    assert_allclose(found[3], whole[:, 5:, 4:], atol=1e-4)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".bmp", ".webp", ".tif", ".TIFF"])
@pytest.mark.parametrize("real", ["JPEG", "PNG", "BMP", "WebP", "TIFF"])
def test_an_image_that_lies_about_its_type_is_unreadable(tmp_path, image, suffix, real):
    encodings = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WebP": ".webp", "TIFF": ".tiff"}
    said = {".jpeg": ".jpg", ".tif": ".tiff"}.get(suffix.lower(), suffix.lower())
    path = tmp_path / f"face{suffix}"
    path.write_bytes(cv2.imencode(encodings[real], image)[1].tobytes())
    if encodings[real] == said:
        assert read_image(path).shape == image.shape
        return
    with pytest.raises(OtherType, match=f"^is a {real} file, its name says ") as caught:
        read_image(path)
    assert isinstance(caught.value, Unreadable)


@pytest.mark.parametrize("name", ["face", "face.image", "face.pgm"])
def test_a_name_that_claims_no_type_cannot_lie(tmp_path, image, name):
    path = tmp_path / name
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    assert_array_equal(read_image(path), image)


def test_an_image_of_a_type_that_nobody_knows_the_name_of_lies_too(tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(cv2.imencode(".pgm", np.full((5, 7), 9, np.uint8))[1].tobytes())
    with pytest.raises(OtherType, match="is no JPEG file, as its name says"):
        read_image(path)


def test_a_riff_file_that_is_no_picture_is_not_called_one(tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    with pytest.raises(Unreadable, match="not an image"):
        read_image(path)
