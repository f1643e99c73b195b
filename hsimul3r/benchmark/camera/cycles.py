"""Renders a shot folder with Blender's Cycles: `python -P cycles.py SHOT_FOLDER`, in an interpreter that has bpy 4.2 and numpy.

Writes `view_<i>.png` (the picture) and `label_<i>.png` (one sample at each pixel's centre: grey level 0 is the room, 1 the
person, 2 + i the i-th object). It imports nothing of this project, since bpy pins its own numpy; shot.py says what is in the
folder. Without -P this file would hide Blender's own module `cycles`.
"""

import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def render_shot(folder: Path) -> None:
    """Render every view of the shot in `folder`."""
    bpy = import_module("bpy")
    shot = json.loads((folder / "shot.json").read_text())
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    materials = {name: _material(bpy, folder / f"{name}.png", settings) for name, settings in shot["materials"].items()}
    with np.load(folder / "meshes.npz", allow_pickle=False) as arrays:
        objects = [
            _mesh(bpy, mesh, {key: arrays[f"{i}.{key}"] for key in ("vertices", "faces", "uv")})
            for i, mesh in enumerate(shot["meshes"])
        ]
    for item, mesh in zip(objects, shot["meshes"]):
        item.data.materials.append(materials[mesh["material"]])
    for light in shot["lights"]:
        _light(bpy, light)
    cameras = [_camera(bpy, view) for view in shot["views"]]
    _photo_settings(scene, shot)
    _render_views(bpy, cameras, shot["views"], folder, "view")
    labels = {label: _glow(bpy, f"label_{label}", label / 255) for label in {mesh["label"] for mesh in shot["meshes"]}}
    for item, mesh in zip(objects, shot["meshes"]):
        item.data.materials[0] = labels[mesh["label"]]
    _label_settings(scene)
    _render_views(bpy, cameras, shot["views"], folder, "label")


def _material(bpy: Any, image: Path, settings: dict[str, float]) -> Any:
    material = bpy.data.materials.new(image.stem)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.load(str(image))
    links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = settings["roughness"]
    shader.inputs["Sheen Weight"].default_value = settings["sheen"]
    if settings["bump_m"] > 0:
        bump = nodes.new("ShaderNodeBump")
        bump.inputs["Distance"].default_value = settings["bump_m"]
        links.new(texture.outputs["Color"], bump.inputs["Height"])
        links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    if settings["glow"] > 0:
        links.new(texture.outputs["Color"], shader.inputs["Emission Color"])
        shader.inputs["Emission Strength"].default_value = settings["glow"]
    return material


def _glow(bpy: Any, name: str, grey: float) -> Any:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.node_tree.nodes.clear()
    shader = material.node_tree.nodes.new("ShaderNodeEmission")
    shader.inputs["Color"].default_value = (grey, grey, grey, 1.0)
    output = material.node_tree.nodes.new("ShaderNodeOutputMaterial")
    material.node_tree.links.new(shader.outputs["Emission"], output.inputs["Surface"])
    return material


def _mesh(bpy: Any, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    mesh = bpy.data.meshes.new(settings["name"])
    mesh.from_pydata(arrays["vertices"].tolist(), [], arrays["faces"].tolist())
    layer = mesh.uv_layers.new()
    layer.data.foreach_set("uv", np.ascontiguousarray(arrays["uv"], np.float32).ravel())
    if settings["is_smooth"]:
        mesh.polygons.foreach_set("use_smooth", np.ones(len(arrays["faces"]), bool))
        mesh.set_sharp_from_angle(angle=math.radians(40))
    mesh.update()
    item = bpy.data.objects.new(settings["name"], mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def _light(bpy: Any, settings: dict[str, Any]) -> None:
    Vector = import_module("mathutils").Vector
    lamp = bpy.data.lights.new("light", "AREA")
    lamp.size, lamp.energy, lamp.color = settings["size_m"], settings["power_w"], settings["color"]
    item = bpy.data.objects.new("light", lamp)
    item.location = settings["position"]
    item.rotation_euler = (Vector(settings["target"]) - Vector(settings["position"])).to_track_quat("-Z", "Y").to_euler()
    item.visible_camera = False
    bpy.context.scene.collection.objects.link(item)


def _camera(bpy: Any, view: dict[str, Any]) -> Any:
    Matrix = import_module("mathutils").Matrix
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", 36.0
    camera.lens = view["focal_px"] * 36.0 / view["size_px"][0]
    camera.clip_start = 0.05
    item = bpy.data.objects.new("camera", camera)
    item.matrix_world = Matrix((np.linalg.inv(np.array(view["T_cam_world"])) @ np.diag((1.0, -1.0, -1.0, 1.0))).tolist())
    bpy.context.scene.collection.objects.link(item)
    return item


def _photo_settings(scene: Any, shot: dict[str, Any]) -> None:
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.seed = "CPU", shot["samples"], shot["seed"]
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 3, 1
    cycles.use_adaptive_sampling, cycles.adaptive_threshold, cycles.adaptive_min_samples = True, 0.04, 6
    scene.render.threads_mode, scene.render.threads = "FIXED", shot["threads"]
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.use_denoising, cycles.denoiser, cycles.denoising_prefilter = True, "OPENIMAGEDENOISE", "FAST"
    cycles.sample_clamp_indirect = 5.0
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = shot["exposure"]
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    scene.render.use_persistent_data = True


def _label_settings(scene: Any) -> None:
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 1, False, 0
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.view_settings.view_transform, scene.view_settings.look, scene.view_settings.exposure = "Raw", "None", 0.0
    scene.render.dither_intensity = 0.0


def _render_views(bpy: Any, cameras: list[Any], views: list[dict[str, Any]], folder: Path, name: str) -> None:
    scene = bpy.context.scene
    scene.render.resolution_percentage = 100
    for i, (camera, view) in enumerate(zip(cameras, views)):
        scene.camera = camera
        scene.render.resolution_x, scene.render.resolution_y = view["size_px"]
        scene.render.filepath = str(folder / f"{name}_{i}.png")
        bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    render_shot(Path(sys.argv[1]))
