"""imageDetail.json, imagedefinitions.json and the names of images."""

from __future__ import annotations

import pytest

from runbook_lib.documents import imagedetail
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.errors import BadInput

URI = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v1"


def test_written_files_are_read_back() -> None:
    """Both files carry the image from one end to the other."""
    assert imagedetail.parse_image_detail(imagedetail.image_detail(URI)) == URI
    (found,) = imagedetail.parse_image_definitions(imagedetail.image_definitions({"web": URI}))
    assert found == imagedetail.ImageDefinition("web", URI)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"name": "web", "imageUri": "a:1"}]', "imageDetail.json:1:1: seen: a list; wanted: an object with ImageURI"),
        ('{"imageUri": "a:1"}', "the key 'imageUri' instead of 'ImageURI'"),
        ("{}", "no key 'ImageURI'"),
        ('{"ImageURI": "<IMAGE_URI>"}', "imageDetail.json:1:14"),
        ('{"ImageURI": 3}', "the name of an image"),
        ("", "an empty file"),
    ],
)
def test_wrong_image_detail_is_refused(text: str, says: str) -> None:
    """The two files are easily mixed up, and their keys differ in case."""
    with pytest.raises(BadInput) as caught:
        imagedetail.parse_image_detail(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"ImageURI": "a:1"}', "a list with one object per container"),
        ("[]", "a list with one object per container"),
        ('[{"name": "web", "image": "a:1"}]', "the key 'image' instead of 'imageUri'"),
        ('[{"imageUri": "a:1"}]', "no key 'name'"),
        ('["a:1"]', "one object per container"),
    ],
)
def test_wrong_image_definitions_are_refused(text: str, says: str) -> None:
    """What the rolling deploy action needs, key by key."""
    with pytest.raises(BadInput) as caught:
        imagedetail.parse_image_definitions(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("imageDetails.json", "imageDetail.json"),
        ("out/imagedetail.json", "imageDetail.json"),
        ("image-details.json", "imageDetail.json"),
        ("imageDefinitions.json", "imagedefinitions.json"),
        ("imagedefinition.json", "imagedefinitions.json"),
        ("imageDetail.json", None),
        ("imagedefinitions.json", None),
        ("package.json", None),
    ],
)
def test_near_misses_of_the_file_names_are_known(name: str, meant: str | None) -> None:
    """The deploy action looks for one name, letter by letter."""
    assert imagedetail.near_miss(name) == meant


def test_near_miss_is_a_finding() -> None:
    """A file with the plural's name is reported even when its content is right."""
    (finding,) = imagedetail.check_image_detail('{"ImageURI": "a:1"}', name="imageDetails.json")
    assert finding.next_step == "rename the file to imageDetail.json"


def test_ecr_address_is_taken_apart() -> None:
    """Account, region, repository and tag or digest."""
    found = image_uri(URI)
    assert found is not None
    assert (found.account, found.region, found.repository, found.tag) == ("111122223333", "eu-west-1", "shop/web", "v1")
    pinned = image_uri(f"shop@sha256:{'0' * 64}")
    assert pinned is not None
    assert (pinned.account, pinned.repository, pinned.digest[:8]) == ("", "shop", "sha256:0")


@pytest.mark.parametrize("text", ["", "image_URI", "<X>", "$URI:v1", "a b", "REPOSITORY_URI:TAG", "web:"])
def test_placeholders_are_no_image_names(text: str) -> None:
    """What a template left behind is not taken for an image."""
    assert image_uri(text) is None
