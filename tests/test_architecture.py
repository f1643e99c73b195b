"""The dependency rules of ARCHITECTURE.md, read off the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("hsimul3r", "stages", "sim_envs")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PURE = ("geometry", "body", "losses", "metrics")
UPSTREAM = {
    "onnxruntime",
    "lightglue",
    "pycolmap",
    "transformers",
    "diffusers",
    "peft",
    "segment_anything",
    "smplx",
    "torchvision",
}
BUILD_TIME = {"anny", "bpy", "infinigen", "onnx", "tensorflow", "tf2onnx"}
ENGINES = {"mujoco", "mujoco_warp", "isaacgym", "rl_games"}
ORDER = {"hsimul3r.pipeline", "hsimul3r.experiment", "hsimul3r.cli"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> list[tuple[str, bool]]:
    """(imported module, whether it is imported at the top level) of a file; `require("x", ...)` counts as an import."""
    tree = ast.parse(path.read_text())
    deferred = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS) or is_for_type_checking(node)]
    inside = {id(node) for block in deferred for node in ast.walk(block)}
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif (
            isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require" and isinstance(node.args[0], ast.Constant)
        ):
            names = [str(node.args[0].value)]
        found += [(name, id(node) not in inside) for name in names]
    return found


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_for_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def in_package(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_keep_the_rules(path):
    module = module_name(path)
    names = imports(path)
    ours = [name for name, _ in names if name.split(".")[0] in PACKAGES]
    if module in {"hsimul3r.conventions", "hsimul3r.errors"}:
        assert not ours
    if module.startswith("hsimul3r.") and module.split(".")[1] in PURE:
        allowed = {
            *(f"hsimul3r.{package}" for package in PURE),
            "hsimul3r.conventions",
            "hsimul3r.errors",
            "hsimul3r.artifacts",
        }
        assert [name for name in ours if not any(in_package(name, package) for package in allowed)] == []
    if module.startswith("stages."):
        siblings = [name for name in ours if in_package(name, "stages") and name != "stages"]
        assert [name for name in siblings if not in_package(name, "stages.adapters")] == [], "a stage imports another stage"
    if module not in ORDER and module != "hsimul3r.__main__":
        assert [name for name in ours if name in ORDER] == [], (
            "only the pipeline, the experiments and the command line know the order"
        )
    upstream = [(name, top) for name, top in names if name.split(".")[0] in UPSTREAM]
    if not module.startswith(("stages.adapters.", "hsimul3r.assets.build.")):
        assert upstream == [], "an upstream model is named outside stages/adapters"
    assert [name for name, top in upstream if top] == [], "an upstream model is imported at the top level"
    engines = [(name, top) for name, top in names if name.split(".")[0] in ENGINES]
    if not module.startswith("sim_envs."):
        assert engines == [], "an engine is named outside sim_envs"
    assert [name for name, top in engines if top] == [], "an engine is imported at the top level"
    assert [name for name, top in names if name.split(".")[0] in BUILD_TIME and top] == [], "build-time packages stay inside"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_no_function_is_over_sixty_lines(path):
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, FUNCTIONS) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_unpickles_or_evaluates(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {ast.unparse(node.func) for node in calls if not reads_weights_only(node)}
    assert not names & {"eval", "exec", "pickle.load", "pickle.loads", "torch.load"}


def reads_weights_only(call: ast.Call) -> bool:
    """torch's own restricted reader, which builds tensors and what its allow-list names."""
    return ast.unparse(call.func) == "torch.load" and "weights_only=True" in [ast.unparse(k) for k in call.keywords]


BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
{statement}
"""


@pytest.mark.parametrize("statement", ["import hsimul3r", "import hsimul3r.cli", "import hsimul3r.pipeline"])
def test_imports_without_engines_and_models(statement):
    blocked = sorted(UPSTREAM | ENGINES | BUILD_TIME)
    code = BLOCK.format(blocked=set(blocked), statement=statement)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
