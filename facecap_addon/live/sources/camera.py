"""Cameras of this computer, through the input devices of FFmpeg that PyAV brings along."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import av
import av.error
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from ...errors import FacecapError
from .capture_thread import AS_IT_IS, POLL_S, Capturing, LivePicture, SourceWishes
from .latest_item import Mailbox

FORMATS = {"linux": "v4l2", "win32": "dshow", "darwin": "avfoundation"}
"""FFmpeg's input device for cameras, by `sys.platform`."""
_OPENING_S, _SILENT_S = 15.0, 5.0
"""So long a camera may take for its first picture, and may be silent afterwards."""
_DAMAGED_PICTURES = 30
_NOTHING_YET_S = 0.002
# What is read to learn about the stream is not kept for later, and the rate is told by the device.
_ALWAYS = {"fflags": "nobuffer", "fpsprobesize": "0"}
# Of DirectShow's room for pictures that were not fetched yet, 3 MB, one large uncompressed picture is more.
_OF_FORMAT = {"dshow": {"rtbufsize": str(64 << 20)}}
# Rates to ask for where the one wished for is not to be had, or none is wished for. AVFoundation's own default, 29.97,
# is one that few cameras have; DirectShow takes the first mode of the wished size, which may be 5 uncompressed pictures
# a second, where it is not told a rate.
_USUAL_FPS = {"avfoundation": (30.0, 60.0, 25.0, 15.0), "dshow": (30.0,)}
_SCREEN = re.compile(r"capture screen \d+", re.IGNORECASE)
_V4L2_PATH = re.compile(r"/dev/video\d{1,3}")
_DRIFT = 2e-4
_CLOCK_SET_S = 1.0
_CANNOT = (av.error.FFmpegError, OSError, ValueError, LookupError)


@dataclass(frozen=True)
class ListedCamera:
    """A camera that the system lists: the name that opens it, and what the user reads."""

    name: str
    description: str


@dataclass(frozen=True)
class CameraDevice:
    """What FFmpeg is to open.

    Attributes:
        name: as the input device wants it.  format: the input device.  label: what the user calls it.
    """

    name: str
    format: str
    label: str


def list_cameras(system: str) -> list[ListedCamera]:
    """The cameras of this computer, in the order of their numbers; none where they cannot be listed.

    Args:
        system: as `sys.platform`.
    """
    try:
        devices = av.enumerate_input_devices(FORMATS[system])
    except _CANNOT:
        return []
    return parse_cameras(((device.name, device.description, device.media_types) for device in devices), system)


def parse_cameras(devices: Iterable[tuple[str, str, list[str]]], system: str) -> list[ListedCamera]:
    """What of the listed (name, description, media types) is a camera: no microphone, and no picture of the screen."""
    cameras = [
        ListedCamera(name, description)
        for name, description, media in devices
        if (not media or "video" in media) and not (system == "darwin" and _SCREEN.fullmatch(description))
    ]
    if system == "linux":  # listed as the folder has them
        return sorted(cameras, key=lambda camera: (len(camera.name), camera.name))
    return cameras


def find_camera(wanted: str, system: str, cameras: list[ListedCamera]) -> CameraDevice | None:
    """The camera that a number or a name means, or None; only what the system lists is ever opened by name.

    Args:
        wanted: a number, 0 for the first; a name, or a part of it that no other camera has.
        system: as `sys.platform`.  cameras: that it lists.
    Raises:
        FacecapError: several cameras are called so.
    """
    if system not in FORMATS:
        return None
    if system == "linux" and (wanted.isdecimal() or _V4L2_PATH.fullmatch(wanted)):
        path = f"/dev/video{int(wanted)}" if wanted.isdecimal() else wanted
        return CameraDevice(path, FORMATS[system], f"Camera {path.removeprefix('/dev/video')}")
    if wanted.isdecimal():
        # AVFoundation's numbers go on with the screens; they are its names.
        names = [camera.name for camera in cameras] if system == "darwin" else [str(i) for i in range(len(cameras))]
        found = [camera for name, camera in zip(names, cameras, strict=True) if name == str(int(wanted))]
        label = f"Camera {int(wanted)}"
    else:
        called = [camera for camera in cameras if wanted.casefold() in camera.description.casefold()]
        found = [camera for camera in called if camera.description.casefold() == wanted.casefold()] or called
        label = f"The camera {found[0].description}" if found else ""
    if not wanted or not found:
        return None
    described = list(dict.fromkeys(camera.description for camera in found))
    if len(described) > 1:
        raise FacecapError(
            f"Several cameras are called {wanted}: {', '.join(described)}.", "Write the name in full, or the number."
        )
    # A name of DirectShow's own: the one that people read may be that of two cameras, and may hold a colon.
    name = f"video={found[0].name or found[0].description}" if system == "win32" else found[0].name
    return CameraDevice(name, FORMATS[system], label)


def options_to_try(device_format: str, wishes: SourceWishes) -> list[dict[str, str]]:
    """Options for opening a camera, the wishes first, then less and less of them: the size is the last to be let go.

    Args:
        device_format: FFmpeg's input device.
    """
    size = {} if wishes.camera_size == AS_IT_IS else {"video_size": wishes.camera_size}
    usual = _USUAL_FPS.get(device_format, ()) if size or device_format == "avfoundation" else ()
    wished = () if wishes.camera_fps is None else (wishes.camera_fps,)
    rates: list[dict[str, str]] = [{"framerate": f"{fps:g}"} for fps in dict.fromkeys((*wished, *usual))]
    tries = [{**sized, **rate} for sized in ([size, {}] if size else [{}]) for rate in [*rates, {}]]
    if device_format == "v4l2" and tries[0]:
        # Uncompressed, most cameras give large pictures at a few frames per second only.
        tries.insert(0, {**tries[0], "input_format": "mjpeg"})
    return [{**_ALWAYS, **_OF_FORMAT.get(device_format, {}), **options} for options in tries]


class CaptureClock:
    """When pictures were taken, on the monotonic clock.

    A device's stamps are even, but of a clock whose zero nobody knows; when pictures come is known, but late by more or
    less. The picture that came with the least delay tells how far the clocks are apart.
    """

    def __init__(self) -> None:
        self._apart: float | None = None
        self._last = -np.inf

    def taken_s(self, stamp_s: float | None, came_s: float) -> float:
        """When a picture was taken, later than the one before, and not after it came.

        Args:
            stamp_s: of the device, s, or None.  came_s: of the monotonic clock.
        """
        taken = came_s
        if stamp_s is not None:
            apart = came_s - stamp_s
            if self._apart is None or abs(apart - self._apart) > _CLOCK_SET_S:
                self._apart = apart
            else:
                drifted = self._apart + _DRIFT * max(came_s - self._last, 0.0)
                self._apart = min(apart, drifted)
            taken = stamp_s + self._apart
        if taken <= self._last:
            taken = came_s
        self._last = taken
        return taken


class CameraSource(Capturing):
    """A camera; the size and rate asked for are wishes, and it is said what came of them.

    One thread waits for the device and decodes; what it hands over is passed on by another, so that a device that hangs
    holds up nobody and is noticed.

    Args:
        device: to open.  wishes: for its size and rate.
    Raises:
        FacecapError: it gives no picture.
    """

    def __init__(self, device: CameraDevice, wishes: SourceWishes | None = None) -> None:
        super().__init__()
        wishes = wishes or SourceWishes()
        self._pictures: Mailbox[LivePicture] = Mailbox()
        self._fps = 0.0
        self._reader = threading.Thread(
            target=self._read, args=(device, options_to_try(device.format, wishes)), name="facecap-camera", daemon=True
        )
        self._reader.start()
        cause: Exception | None = None
        try:
            first = self._pictures.get(_OPENING_S)
        except _CANNOT as error:
            first, cause = None, error
        if first is None:
            self._stop.set()
            raise no_picture(device.label) from cause
        self.size_px = (first.image.shape[1], first.image.shape[0])
        self._tell(wishes)
        self._begin(lambda: self._pass_on(first))

    def close(self) -> None:
        """End the threads and let go of the device; one that hangs is let go of when it wakes up."""
        super().close()
        self._reader.join(timeout=1.0)

    def _tell(self, wishes: SourceWishes) -> None:
        """Say what the camera gives where that is not what was asked for."""
        size = "{}x{}".format(*self.size_px)
        if wishes.camera_size not in (AS_IT_IS, size):
            self._notes.append(f"The camera gives {size} instead of {wishes.camera_size}.")
        if wishes.camera_fps is not None and self._fps > 0 and abs(self._fps - wishes.camera_fps) > 0.5:
            self._notes.append(
                f"The camera gives {self._fps:.3g} pictures per second instead of {wishes.camera_fps:.3g}."
            )

    def _pass_on(self, first: LivePicture) -> None:
        self.mailbox.put(first)
        last, heard = first.index, time.monotonic()
        while not self._stop.is_set():
            try:
                picture = self._pictures.get(POLL_S)
            except _CANNOT as error:
                raise _stopped() from error
            if picture is not None:
                for _ in range(picture.index - last - 1):
                    self.mailbox.skip()
                self.mailbox.put(picture)
                last, heard = picture.index, time.monotonic()
            elif self._pictures.ended or time.monotonic() - heard > _SILENT_S:
                raise _stopped()

    def _read(self, device: CameraDevice, tries: list[dict[str, str]]) -> None:
        try:
            with _open(device, tries) as container:
                self._decode(container)
        except BaseException as error:
            self._pictures.close(error)
        else:
            self._pictures.close()

    def _decode(self, container: InputContainer) -> None:
        stream = container.streams.video[0]
        # Threads that decode a picture each would hold back as many pictures.
        stream.thread_type = "SLICE"
        stream.codec_context.flags |= Flags.low_delay
        self._fps = float(stream.average_rate or 0)
        clock, reformatter = CaptureClock(), VideoReformatter()
        index, began, damaged = 0, 0.0, 0
        while not self._stop.is_set():
            try:
                for packet in container.demux(stream):
                    came = time.monotonic()
                    if self._stop.is_set():
                        return
                    if not packet.size:  # a picture that the driver lost, or the end
                        continue
                    for frame in packet.decode():
                        taken = clock.taken_s(frame.time, came)
                        began = began if index else taken
                        image = np.asarray(reformatter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
                        self._pictures.put(LivePicture(index, taken - began, taken, image))
                        index, damaged = index + 1, 0
                return
            except BlockingIOError:  # AVFoundation's way to say that there is nothing yet
                self._stop.wait(_NOTHING_YET_S)
            except av.error.InvalidDataError:
                damaged += 1
                if damaged >= _DAMAGED_PICTURES:
                    raise


def no_picture(label: str) -> FacecapError:
    """What is said of a camera that cannot be had."""
    return FacecapError(
        f"{label} gives no picture.",
        "Check that it is plugged in, that no other program uses it, and that programs may use the camera.",
    )


def _stopped() -> FacecapError:
    return FacecapError("The camera stopped sending pictures.", "Plug it in and start again.")


def _open(device: CameraDevice, tries: list[dict[str, str]]) -> InputContainer:
    *hopeful, last = tries
    for options in hopeful:
        try:
            return av.open(device.name, format=device.format, options=options)
        except _CANNOT:
            continue
    return av.open(device.name, format=device.format, options=last)
