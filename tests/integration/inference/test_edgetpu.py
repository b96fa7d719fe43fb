"""Models on an Edge TPU whose library is real and whose chip is not."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.backoff import Backoff
from edge_runtime.detections import Detections
from edge_runtime.inference.edgetpu import Tpu, TpuError, list_tpus, open_tpu
from edge_runtime.inference.engine import Engine, InvokeError, ModelError
from edge_runtime.inference.failover import EngineState, FailoverEngine
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from tests.integration.inference.conftest import FakeTpu

SSD = "ssd_mobilenet_v1_coco_quant_300.tflite"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def load(twins: Path, coco: Path, fake_tpu: FakeTpu, clock: Clock) -> Callable[..., Detector]:
    def load(device: str, model: str = SSD, **more: object) -> Detector:
        settings = ModelSettings(twins / model, coco, device=device, **more)
        backoff = Backoff(first=10, longest=40)
        return load_detector(settings, library=fake_tpu.library, clock=clock, backoff=backoff)

    return load


def same(one: Detections, other: Detections) -> bool:
    return (
        len(one) > 0
        and np.array_equal(one.boxes, other.boxes)
        and np.array_equal(one.scores, other.scores)
        and np.array_equal(one.class_ids, other.class_ids)
    )


def detect_until(detector: Detector, image, backend: str) -> None:
    deadline = time.monotonic() + 20
    while detector.status().backend != backend:
        assert time.monotonic() < deadline, detector.status()
        detector.detect(image)


def test_the_devices_are_listed_with_their_bus_and_path(fake_tpu: FakeTpu) -> None:
    fake_tpu.told("devices=2")
    assert list_tpus(fake_tpu.library) == (
        Tpu(0, "usb", "/sys/bus/usb/2-1"),
        Tpu(1, "pci", "/dev/apex_0"),
    )
    fake_tpu.told("devices=0")
    assert list_tpus(fake_tpu.library) == ()


def test_a_library_that_is_missing_is_one_sentence() -> None:
    with pytest.raises(TpuError, match=r"libnothing\.so cannot be loaded .*: install libedgetpu1"):
        list_tpus("libnothing.so")


def test_a_library_that_is_another_one_is_one_sentence() -> None:
    with pytest.raises(TpuError, match=r"libc\.so\.6 is not the Edge TPU's library"):
        list_tpus("libc.so.6")


@pytest.mark.parametrize("device", ["tpu", "tpu:0", "auto"])
def test_the_tpu_gives_what_the_cpu_gives(load, picture, device: str) -> None:
    image = picture("squat.jpg")
    on_tpu, on_cpu = load(device), load("cpu")
    assert on_tpu.status().backend == "edgetpu:0"
    assert on_tpu.status().state is EngineState.OK
    assert on_cpu.status().reason == "the CPU is asked for"
    assert same(on_tpu.detect(image), on_cpu.detect(image))


def test_the_identity_is_that_of_the_file_that_runs(load, picture, fake_tpu: FakeTpu) -> None:
    detector = load("tpu")
    tpu_hash = detector.identity.sha256
    assert detector.identity.name == "ssd_mobilenet_v1_coco_quant_300_edgetpu"
    fake_tpu.told("fail-invoke")
    detector.detect(picture("squat.jpg"))
    assert detector.identity.name == "ssd_mobilenet_v1_coco_quant_300"
    assert detector.identity.sha256 != tpu_hash


def test_the_second_tpu_is_used_by_its_index(load, fake_tpu: FakeTpu) -> None:
    fake_tpu.told("devices=2")
    assert load("tpu:1").status().backend == "edgetpu:1"


@pytest.mark.parametrize("device", ["auto", "tpu"])
def test_several_cameras_are_spread_over_the_tpus(
    twins: Path, coco: Path, fake_tpu: FakeTpu, device: str
) -> None:
    fake_tpu.told("devices=2")
    settings = ModelSettings(twins / SSD, coco, device=device)
    detectors = [load_detector(settings, nth=nth, library=fake_tpu.library) for nth in range(3)]
    assert [d.status().backend for d in detectors] == ["edgetpu:0", "edgetpu:1", "edgetpu:0"]


def test_a_tpu_that_is_not_there_at_start_is_degraded_and_says_so(load, fake_tpu) -> None:
    status = load("tpu:1").status()
    assert (status.backend[-4:], status.state) == ("-cpu", EngineState.DEGRADED)
    assert status.reason == "runs on the CPU: there is no Edge TPU 1: one was found"


def test_auto_without_a_tpu_is_in_order_and_says_why(load, fake_tpu: FakeTpu) -> None:
    fake_tpu.told("devices=0")
    status = load("auto").status()
    assert (status.backend[-4:], status.state) == ("-cpu", EngineState.OK)
    assert status.reason == "runs on the CPU: no Edge TPU was found"


def test_auto_without_the_library_is_in_order_and_says_why(twins: Path, coco: Path) -> None:
    detector = load_detector(ModelSettings(twins / SSD, coco), library="libnothing.so")
    assert detector.status().state is EngineState.OK
    assert "libnothing.so cannot be loaded" in detector.status().reason


def test_a_tpu_that_cannot_be_opened_is_degraded_and_says_so(load, fake_tpu: FakeTpu) -> None:
    fake_tpu.told("fail-open")
    status = load("auto").status()
    assert status.state is EngineState.DEGRADED
    assert "Edge TPU 0 cannot be opened" in status.reason
    assert "told to fail at load" in status.reason


def test_the_frame_at_which_the_tpu_fails_is_run_on_the_cpu(load, picture, fake_tpu) -> None:
    image = picture("squat.jpg")
    expected = load("cpu").detect(image)
    detector = load("tpu")
    detector.detect(picture("grace_hopper.jpg"))
    fake_tpu.told("fail-invoke")
    assert same(detector.detect(image), expected)
    status = detector.status()
    assert (status.backend[-4:], status.state) == ("-cpu", EngineState.DEGRADED)
    assert "failed on edgetpu:0" in status.reason
    assert "told to fail at invoke" in status.reason
    assert same(detector.detect(image), expected)


def test_the_tpu_is_taken_again_when_it_has_recovered(load, picture, fake_tpu, clock) -> None:
    image = picture("squat.jpg")
    detector = load("tpu")
    fake_tpu.told("fail-invoke")
    expected = detector.detect(image)
    fake_tpu.told("devices=1")
    clock.now += 4.9  # the first wait is drawn from 5 to 10 s
    for _ in range(3):
        detector.detect(image)
    assert detector.status().state is EngineState.DEGRADED
    clock.now += 5.2
    detect_until(detector, image, "edgetpu:0")
    assert detector.status().state is EngineState.OK
    assert same(detector.detect(image), expected)


def test_a_tpu_that_stays_away_is_tried_ever_less_often(load, picture, fake_tpu, clock) -> None:
    image = picture("squat.jpg")
    detector = load("tpu")
    fake_tpu.told("fail-invoke")
    detector.detect(image)
    fake_tpu.told("devices=0")
    clock.now += 10
    deadline = time.monotonic() + 20
    while "none was found" not in detector.status().reason:
        assert time.monotonic() < deadline
        detector.detect(image)
    fake_tpu.told("devices=1")
    clock.now += 9.9  # the second wait is drawn from 10 to 20 s
    for _ in range(3):
        detector.detect(image)
    assert detector.status().state is EngineState.DEGRADED
    clock.now += 10.2
    detect_until(detector, image, "edgetpu:0")


def test_frames_do_not_wait_while_the_tpu_is_tried(models: Path, clock: Clock) -> None:
    let_go = threading.Event()
    openers: list[threading.Thread] = []

    def hangs_at_the_second_try() -> Engine:
        openers.append(threading.current_thread())
        assert len(openers) == 1 or let_go.wait(20)
        raise TpuError("still away")

    cpu = LiteRtEngine(models / "vww_96_int8.tflite")
    engine = FailoverEngine(cpu, hangs_at_the_second_try, clock=clock, backoff=Backoff(1, 1))
    clock.now += 2
    for _ in range(5):
        engine.input_view()[...] = 0
        engine.invoke()
    assert len(openers) == 2
    assert openers[1].is_alive()
    let_go.set()
    openers[1].join(20)


def test_a_twin_of_another_model_is_refused(load, twins: Path, tmp_path: Path) -> None:
    model = shutil.copy(twins / SSD, tmp_path / SSD)
    other = twins / "vww_96_int8_edgetpu.tflite"
    status = load("tpu", model=str(model), edgetpu_path=other).status()
    assert status.state is EngineState.DEGRADED
    assert "was not compiled from the one that the CPU runs" in status.reason


def test_a_tpu_file_may_be_named_and_its_cpu_twin_is_found(load) -> None:
    detector = load("tpu", model="ssd_mobilenet_v1_coco_quant_300_edgetpu.tflite")
    assert detector.status().backend == "edgetpu:0"


def test_a_twin_that_is_not_compiled_is_one_sentence(load, twins: Path) -> None:
    with pytest.raises(ModelError, match="is not compiled for the Edge TPU"):
        load("tpu", edgetpu_path=twins / SSD)


def test_asking_for_a_tpu_without_a_file_for_it_is_one_sentence(
    models: Path, coco: Path, fake_tpu: FakeTpu
) -> None:
    with pytest.raises(ModelError, match=r'"tpu" and there is no .*_300_edgetpu\.tflite beside'):
        load_detector(ModelSettings(models / SSD, coco, device="tpu"), library=fake_tpu.library)


def test_a_tpu_file_with_nothing_to_fall_back_on_is_one_sentence(
    load, twins: Path, tmp_path: Path
) -> None:
    lonely = shutil.copy(twins / "vww_96_int8_edgetpu.tflite", tmp_path / "x_edgetpu.tflite")
    for device in ("auto", "tpu", "cpu"):
        with pytest.raises(ModelError, match=r"\(edgetpu-custom-op\), which no CPU can run"):
            load(device, model=str(lonely))


def test_a_tpu_that_fails_its_first_run_raises(twins: Path, fake_tpu: FakeTpu) -> None:
    fake_tpu.told("fail-invoke")
    with pytest.raises(InvokeError, match="failed on edgetpu:0"):
        open_tpu(twins / "vww_96_int8_edgetpu.tflite", 0, library=fake_tpu.library)


def test_an_engine_that_failed_works_again_when_its_chip_does(
    twins: Path, fake_tpu: FakeTpu
) -> None:
    engine = open_tpu(twins / "vww_96_int8_edgetpu.tflite", 0, library=fake_tpu.library)
    engine.input_view()[...] = 5
    fake_tpu.told("fail-invoke")
    with pytest.raises(InvokeError, match=r"^vww_96_int8_edgetpu\.tflite failed on edgetpu:0: "):
        engine.invoke()
    fake_tpu.told("devices=1")
    engine.invoke()
    assert int(engine.input_view()[0, 0, 0]) == 5, "the input was kept"


def test_where_the_cpu_fails_too_the_failure_is_told(twins: Path, fake_tpu: FakeTpu) -> None:
    def opened() -> LiteRtEngine:
        return open_tpu(twins / "vww_96_int8_edgetpu.tflite", 0, library=fake_tpu.library)

    engine = FailoverEngine(opened(), opened)
    assert not engine.on_cpu
    fake_tpu.told("fail-invoke")
    for _ in range(2):
        engine.input_view()[...] = 0
        with pytest.raises(InvokeError):
            engine.invoke()
        assert engine.status.state is EngineState.DEGRADED
