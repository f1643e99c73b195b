"""Errors a user can act on. Each writes its own message: what is wrong, what was found, what to do.

The command line prints the message of a `Hsimul3rError` and exits with code 2; `--debug` adds the traceback.
"""

import difflib
from pathlib import Path
from typing import Any


class Hsimul3rError(Exception):
    """Base of everything that is the input's or the environment's fault, never a bug of the code.

    It passes from a worker process to its parent whole, whatever its own class asks for when it is made.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, self.__dict__)


def _remade(kind: type[Hsimul3rError], args: tuple[Any, ...], state: dict[str, Any]) -> Hsimul3rError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class MissingPackage(Hsimul3rError):
    def __init__(self, package: str, purpose: str):
        super().__init__(f"Package '{package}', needed for {purpose}, is not installed. Run: make setup (or: pip install -e .)")


class UnknownScene(Hsimul3rError):
    def __init__(self, scene: str, samples: list[str]):
        super().__init__(
            f"SCENE '{scene}' is neither a folder of images nor a shipped sample. "
            f"Give a path to a folder of photos, or one of: {', '.join(samples) or 'none are shipped'}."
        )


class BadCapture(Hsimul3rError):
    """A folder, an image or a `capture.yaml` that cannot be used."""

    def __init__(self, where: Path | str, what: str, fix: str):
        super().__init__(f"Capture '{where}': {what}. {fix}")


class NoPerson(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(f"{what} Use photos that show one person clearly, at least shoulders to knees, in two or more views.")


class NoOverlap(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(
            f"Cameras cannot be related: {what} Take the photos at one moment, 20 to 60 degrees apart, "
            "with the person and some textured background in each."
        )


class ScaleUnknown(Hsimul3rError):
    def __init__(self, scene: str):
        super().__init__(f"Scene '{scene}' has no metric scale. Give --capture.stature-m, or 'stature_m' in capture.yaml.")


class NoObject(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(f"{what} Name the object and its boxes in capture.yaml (see docs/capture.md).")


class TooFewPoints(Hsimul3rError):
    def __init__(self, name: str, found: int, needed: int):
        super().__init__(
            f"Only {found} scene points were found on object '{name}'; a surface needs {needed}. "
            "Give photos with more texture on it, or use --objects.generator parametric."
        )


class BadMesh(Hsimul3rError):
    def __init__(self, name: str, what: str):
        super().__init__(f"Mesh '{name}' {what}. Repair it (watertight, outward normals, metres) or regenerate the object.")


class GateRefused(Hsimul3rError):
    """A foreign mesh that cannot become furniture of the benchmark."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"Mesh '{name}' {reason}. Leave it out, or repair it and check its unit and its up axis.")
        self.reason = reason


class BadArchive(Hsimul3rError):
    def __init__(self, name: str, what: str):
        super().__init__(f"Archive '{name}' {what}. Fetch it again from its source.")


class NotFinite(Hsimul3rError):
    def __init__(self, what: str, fix: str = "Check the inputs of this stage."):
        super().__init__(f"{what} holds NaN or infinite values. {fix}")


class DamagedArtifact(Hsimul3rError):
    def __init__(self, folder: Path, what: str):
        super().__init__(
            f"Artifact '{folder}' is damaged: {what}. Delete that folder and run the same command again; it will be made anew."
        )


class FolderUnusable(Hsimul3rError):
    """A folder that cannot be written; `option` is how the user gives another."""

    def __init__(self, folder: Path, what: str, option: str):
        super().__init__(f"Folder '{folder}' cannot be written: {what}. Free space or give another place with {option}.")


class NoRun(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(f"{what} Run first: make reconstruct SCENE=<sample or folder of photos>")


class FolderBusy(Hsimul3rError):
    def __init__(self, folder: Path, option: str):
        super().__init__(
            f"Folder '{folder}' is in use by another hsimul3r process. Wait for it, or give another with {option}."
        )


class BadConfig(Hsimul3rError):
    def __init__(self, path: Path | str, what: str):
        super().__init__(f"Config '{path}': {what}.")


class UnknownBackend(Hsimul3rError):
    def __init__(self, name: str, known: tuple[str, ...]):
        super().__init__(f"Physics backend '{name}' does not exist. Use one of: {', '.join(known)}.")


class UnknownFurniture(Hsimul3rError):
    def __init__(self, name: str, known: tuple[str, ...]):
        super().__init__(f"Furniture '{name}' is not in the catalogue. Use one of: {', '.join(known)}.")


class UnsupportedParameter(Hsimul3rError):
    def __init__(self, backend: str, parameter: str, known: tuple[str, ...]):
        super().__init__(f"Physics backend '{backend}' cannot set '{parameter}'. It can set: {', '.join(known) or 'nothing'}.")


class WorkerFailed(Hsimul3rError):
    """A physics engine in a process of its own that cannot go on."""

    def __init__(self, engine: str, what: str, log: str):
        last = " ".join(log.strip().splitlines()[-3:])
        said = f" It said last: {last}." if last else ""
        super().__init__(
            f"The worker process of physics engine '{engine}' failed: {what}.{said} Name a Python 3.8 in which the engine is "
            "installed with the environment variable HSIMUL3R_ISAACGYM_PYTHON, or use --tracking.backend mujoco_cpu."
        )


class BadRecording(Hsimul3rError):
    def __init__(self, folder: Path, what: str):
        super().__init__(f"Folder '{folder}' holds no recorded divergence ({what}). Give one named <number>_simulation<row>.")


class UnknownBodyModel(Hsimul3rError):
    def __init__(self, name: str, known: tuple[str, ...]):
        super().__init__(f"Body model '{name}' is not known here. Run fit_humans again with one of: {', '.join(known)}.")


class RenderingUnavailable(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(
            f"No video can be drawn, OpenGL without a display does not work here ({what}). "
            "On Debian or Ubuntu run: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
        )


class NotForMotions(Hsimul3rError):
    """A controller for poses, asked to follow a motion."""

    def __init__(self, controller: str, frames: int):
        super().__init__(
            f"Controller '{controller}' holds a single moment, this scene moves over {frames} frames. "
            "Use --tracking.controller window, or auto."
        )


class NotOnePerson(Hsimul3rError):
    """A policy moves one person."""

    def __init__(self, found: int):
        super().__init__(f"A policy moves one person, this scene has {found}. Use --tracking.controller static or window.")


class MixedLayouts(Hsimul3rError):
    """Clips that one policy cannot observe alike."""

    def __init__(self, what: str):
        super().__init__(f"One policy cannot learn these clips: {what}. Train a policy for each layout of the scene.")


class NothingToClone(Hsimul3rError):
    """No replay of the solved rollouts held, so that there is nothing to start a policy from."""

    def __init__(self, episodes: int):
        super().__init__(
            f"None of {episodes} replays of what sampling control found held from disturbed starts. "
            "Give --policy.cloning.rounds 0 to train without a warm start, or a smaller --policy.environment.noise.joint-rad."
        )


class PolicyMismatch(Hsimul3rError):
    """A policy file that does not fit the scene it was given for, or is no policy."""

    def __init__(self, path: Path | str, what: str):
        super().__init__(f"Policy '{path}': {what}. Train one for this scene: hsimul3r train-policy <scene>")


class NotASingleMoment(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(f"{what} Only photos of one moment can be aligned with objects so far; give one frame.")


class NotPosable(Hsimul3rError):
    """A case of the benchmark whose person cannot take the pose on these objects; such a case is left out."""

    def __init__(self, case: str, reason: str):
        super().__init__(f"Case '{case}' cannot be posed: {reason}. Leave it out, or give it another seed, subject or object.")
        self.reason = reason


class NotInView(Hsimul3rError):
    """A case of the benchmark that no camera in the room can see whole; such a case is left out."""

    def __init__(self, reason: str):
        super().__init__(f"A scene cannot be photographed whole: {reason}. Leave it out, or give it smaller objects.")
        self.reason = reason


class NoCases(Hsimul3rError):
    def __init__(self, what: str):
        super().__init__(f"{what} Build the benchmark with: make hsibench (or give another folder with --data)")


class WorkersDied(Hsimul3rError):
    def __init__(self) -> None:
        super().__init__(
            "A worker process died, most likely for want of memory (3 GB each). What is finished is kept: run the same "
            "command again, with --workers 1."
        )


class UnknownCase(Hsimul3rError):
    def __init__(self, name: str, known: tuple[str, ...]):
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"The benchmark has no case '{name}' among its {len(known)}.{hint}")


class NotReproduced(Hsimul3rError):
    """Files of the benchmark that a second build, or the disk, has otherwise than the first build wrote them."""

    def __init__(self, files: list[str]):
        shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
        super().__init__(
            f"{len(files)} file(s) are not what building them again gives: {shown}. If they were changed since, delete the "
            "cases' folders and build again; if not, the generator depends on something besides its seed on this machine."
        )


class PortTaken(Hsimul3rError):
    def __init__(self, host: str, port: int, what: str):
        super().__init__(f"The viewer cannot listen on {host}:{port} ({what}). Give another --port, for example {port + 1}.")


class BadWeights(Hsimul3rError):
    """A file of weights that is not there, not whole, or no such file."""

    def __init__(self, path: Path, what: str):
        super().__init__(f"Weights '{path}': {what}. Fetch the file again from its authors, or give another path.")


class UnsafeWeights(Hsimul3rError):
    """A checkpoint that names code to be run when it is read."""

    def __init__(self, path: Path, names: list[str]):
        super().__init__(
            f"Weights '{path}' would run code when read ({', '.join(names) or 'see --debug'}); nothing of it was. "
            "Do not trust this file: fetch the original from its authors, or one in the safetensors format."
        )


class WrongWeights(Hsimul3rError):
    """Weights of another model than the one they were given for."""

    def __init__(self, path: Path, model: str, what: str):
        super().__init__(f"Weights '{path}' are not {model}'s: {what}. Give the path of {model}'s weights.")


class WeightsNotGiven(Hsimul3rError):
    """A model was chosen without its weights."""

    def __init__(self, model: str, option: str, place: Path):
        super().__init__(
            f"{model} needs its weights, which are not shipped, and there are none at '{place}'. Put them there, or give "
            f"--{option.replace('_', '-')} PATH. `hsimul3r weights` says where to get them."
        )


class LicenceRefused(Hsimul3rError):
    """A model chosen under a policy that its licence does not meet."""

    def __init__(self, model: str, licence: str, allowed: list[str]):
        super().__init__(
            f"{model} ({licence}) may not be used in commercial work, and the configuration asks for commercial-safe models "
            f"only. Choose another ({', '.join(allowed)}, or an embedded default), or set --licences any."
        )


class BadForeignFile(Hsimul3rError):
    """A file of another program that cannot be read."""

    def __init__(self, path: Path, what: str):
        super().__init__(f"File '{path}': {what}. Export it again from the program that made it, or give its kind by --tool.")


class UnsafeFile(Hsimul3rError):
    """A pickle that wants more than plain data."""

    def __init__(self, path: Path, name: str):
        super().__init__(
            f"File '{path}' would call '{name}' when read; nothing of it was run. If you trust it, open it with the program "
            "that made it and save its arrays as npz."
        )


class UnknownSkeleton(Hsimul3rError):
    """A captured skeleton whose bones are not named as CMU names them."""

    def __init__(self, missing: list[str]):
        super().__init__(
            f"The skeleton has no bone named {', '.join(missing[:4])}{' and others' if len(missing) > 4 else ''}. "
            "Rename its bones as in the CMU database (lfemur, ltibia, lowerback, ...), or give the motion as an AMASS .npz."
        )


class BadMotion(Hsimul3rError):
    """A file of motion capture that cannot be read as one."""

    def __init__(self, path: Path, what: str):
        super().__init__(f"Motion '{path}': {what}. Give a whole file: .amc with its .asf, or .npz with AMASS's keys.")


class NoAccelerator(Hsimul3rError):
    """A model that is of no use without a GPU, on a machine that has none."""

    def __init__(self, model: str, needed: str, otherwise: str):
        super().__init__(f"{model} needs {needed}, and none was found here; {otherwise}. Give another device or another model.")


class BadBody(Hsimul3rError):
    """A file of a body model that cannot be used."""

    def __init__(self, path: Path, what: str):
        super().__init__(
            f"Body '{path}': {what}. Give the .npz of SMPL, SMPL-H or SMPL-X from its own site (a .pkl is not read: it can run "
            "code)."
        )


class ExternalFailed(Hsimul3rError):
    """A program of the user's that did not do what it was run for."""

    def __init__(self, program: str, what: str, log: str):
        said = f" It said last:\n{log}" if log else ""
        super().__init__(f"'{program}' {what}. Run it by hand to see why, or raise its time limit.{said}")


class NoDataset(Hsimul3rError):
    """A folder without training objects."""

    def __init__(self, folder: Path):
        super().__init__(
            f"Folder '{folder}' holds no training objects. Make them first: "
            "python -m hsimul3r.generator.flow.build_dataset --out FOLDER"
        )


class NoGeneratorWeights(Hsimul3rError):
    """The embedded generator was asked for an object, and the folder holds no weights of it."""

    def __init__(self, folder: Path):
        super().__init__(
            f"The embedded generator has no weights in '{folder}'. Leave --objects.flow.weights out for those that come with "
            "the package, or train some with python -m hsimul3r.generator.flow.train (see docs/generator.md)."
        )


class UnknownImage(Hsimul3rError):
    """A key that an image set does not have: it was made with other settings."""

    def __init__(self, key: str, where: str):
        super().__init__(
            f"Image '{key}' is not among those of '{where}' with these settings. Give the settings that it was collected with."
        )


class NothingToLearn(Hsimul3rError):
    """Simulation feedback that tells no sample from another."""

    def __init__(self, what: str):
        super().__init__(
            f"Nothing can be learnt from this feedback: {what}. Collect more images, or more seeds for each, "
            "so that one image has samples that hold and samples that do not."
        )


class BadRobot(Hsimul3rError):
    """A file that describes no robot."""

    def __init__(self, path: Path, what: str, shipped: tuple[str, ...]):
        super().__init__(
            f"Robot '{path}': {what}. Give one of {', '.join(shipped)}, or a file made by python -m "
            "sim_envs.describe_robot (docs/robots.md)."
        )


class RobotLacks(Hsimul3rError):
    """A description without something that every retargeting needs."""

    def __init__(self, robot: str, what: str):
        super().__init__(f"Robot '{robot}' lacks {what}. Add it to its recipe and make its file again (docs/robots.md).")


class BadRobotMotion(Hsimul3rError):
    """A file of a robot's motion that cannot be read as one."""

    def __init__(self, path: Path, what: str):
        super().__init__(
            f"Robot motion '{path}': {what}. Give a file of this robot, or say by --robot whose it is, by --from its format."
        )


class UnknownFormat(Hsimul3rError):
    """A file of motion whose format cannot be told, or a format that does not exist."""

    def __init__(self, what: str, known: tuple[str, ...]):
        super().__init__(f"{what} Formats: {', '.join(known)}.")


class NotConvertible(Hsimul3rError):
    """A person's motion asked for as a robot's, or the other way round."""

    def __init__(self, source: str, target: str):
        super().__init__(
            f"'{source}' and '{target}' are motions of a person and of a robot: one does not become the other by another file "
            "format. For a robot's motion from a person's: hsimul3r import-motion FILE, then hsimul3r export-g1."
        )


class NoRollouts(Hsimul3rError):
    """A collection of feedback in which nothing was collected."""

    def __init__(self) -> None:
        super().__init__("No sample was judged: there are no images or no seeds. Raise --count or --seeds.")


class NoSuchPerson(Hsimul3rError):
    """A person asked for by a number that the scene has not."""

    def __init__(self, person: int | None, known: list[int]):
        numbers = ", ".join(map(str, known)) or "none"
        asked = "" if person is None else f" {person}"
        super().__init__(f"The scene has no person{asked}; it has: {numbers}. Choose with --person.")
