"""What a run looks like in 3D: each function adds named nodes to a viser scene and returns their handles."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import viser
from jaxtyping import Float
from numpy import ndarray
from viser import CameraFrustumHandle, IcosphereHandle, LabelHandle, MeshHandle, PointCloudHandle, ViserServer

from hsimul3r.artifacts import Cameras, Contact, ObjectAsset, PointTracks, Rollout
from hsimul3r.geometry.cameras import camera_centers
from hsimul3r.geometry.overlay import PaintedMesh, Picture, object_color
from hsimul3r.geometry.rotations import quaternion_from_matrix
from hsimul3r.surfaces import body_surfaces, body_vertices

THUMBNAIL_PX = 480
CONTACT_COLOR = (255, 210, 0)
SMALLEST_FORCE_N = 5.0


def add_cameras(server: ViserServer, cameras: Cameras, photos: Sequence[Picture]) -> list[CameraFrustumHandle]:
    """A frustum with its photo for every registered view."""
    centers = camera_centers(cameras)
    handles = []
    for view in np.flatnonzero(cameras.is_registered).tolist():
        width, height = (float(side) for side in cameras.size_px[view])
        shrink = min(1.0, THUMBNAIL_PX / width)
        size = (round(width * shrink), round(height * shrink))
        handles.append(
            server.scene.add_camera_frustum(
                f"/cameras/view_{view}",
                fov=2.0 * float(np.arctan2(0.5 * height, cameras.focal_px[view])),
                aspect=width / height,
                scale=0.22,
                thickness=0.006,
                color=(31, 111, 235),
                image=cv2.resize(photos[view], size, interpolation=cv2.INTER_AREA),
                format="jpeg",
                wxyz=quaternion_from_matrix(cameras.T_cam_world[view, :3, :3].T),
                position=centers[view],
            )
        )
    return handles


def add_points(server: ViserServer, tracks: PointTracks) -> list[PointCloudHandle]:
    """The triangulated points in their colours."""
    if len(tracks.points) == 0:
        return []
    points = tracks.points.astype(np.float32)
    return [server.scene.add_point_cloud("/points", points, tracks.colors, point_size=0.012, point_shape="circle")]


def add_meshes(
    server: ViserServer, prefix: str, meshes: Sequence[PaintedMesh], *, flat_shading: bool = False
) -> list[MeshHandle]:
    """Surfaces in the world frame."""
    return [
        server.scene.add_mesh_simple(
            f"{prefix}/{i}_{mesh.name}",
            mesh.vertices.astype(np.float32),
            mesh.faces.astype(np.uint32),
            color=mesh.color,
            flat_shading=flat_shading,
            side="double",
        )
        for i, mesh in enumerate(meshes)
    ]


def add_parts(server: ViserServer, prefix: str, asset: ObjectAsset) -> list[MeshHandle]:
    """An object's convex parts, each in its own colour, at the object's place."""
    return [
        server.scene.add_mesh_simple(
            f"{prefix}/{asset.name}_part{i}",
            part.vertices.astype(np.float32),
            part.faces.astype(np.uint32),
            color=object_color(i),
            flat_shading=True,
            wxyz=quaternion_from_matrix(asset.T_world_object[:3, :3]),
            position=asset.T_world_object[:3, 3],
        )
        for i, part in enumerate(asset.parts)
    ]


def add_contacts(server: ViserServer, contacts: Sequence[Contact]) -> list[IcosphereHandle | LabelHandle]:
    """A ball and a name at every reconstructed contact."""
    handles: list[IcosphereHandle | LabelHandle] = []
    for i, contact in enumerate(contacts):
        text = f"{contact.part.replace('_', ' ')} on {contact.target}: {1000 * contact.gap_m:.0f} mm"
        at = tuple(contact.point)
        handles.append(server.scene.add_icosphere(f"/contacts/{i}_ball", radius=0.025, color=CONTACT_COLOR, position=at))
        handles.append(server.scene.add_label(f"/contacts/{i}_name", text, position=at))
    return handles


@dataclass(frozen=True, kw_only=True)
class SimulatedScene:
    """Handles of one controller's simulation and where they are in every frame."""

    rollout: Rollout
    people: list[MeshHandle]
    skins: list[Float[ndarray, "frames vertices 3"]]
    objects: list[MeshHandle]
    parts: list[list[MeshHandle]]
    forces: list[LabelHandle]
    balls: list[IcosphereHandle]

    def show_frame(self, frame: int, *, contacts: bool) -> None:
        """Move everything to a frame; contacts that carry no force are hidden."""
        for handle, skin in zip(self.people, self.skins):
            handle.vertices = skin[frame]
        for i, handle in enumerate(self.objects):
            for moved in (handle, *self.parts[i]):
                moved.position, moved.wxyz = self.rollout.object_pos[frame, i], self.rollout.object_quat[frame, i]
        for i, (label, ball) in enumerate(zip(self.forces, self.balls)):
            force = float(self.rollout.contact_force_n[frame, i])
            label.visible = ball.visible = contacts and force >= SMALLEST_FORCE_N
            if label.visible:
                label.text = f"{force:.0f} N"
                label.position = ball.position = self.rollout.contact_point[frame, i]


def add_simulation(server: ViserServer, rollout: Rollout, assets: Sequence[ObjectAsset]) -> SimulatedScene:
    """People, objects and contacts of a rollout, in its first frame."""
    prefix = f"/simulated/{rollout.controller}"
    frames, contacts = np.arange(len(rollout.qpos)), range(len(rollout.contact_names))
    by_name = {asset.name: asset for asset in assets}
    shown = [by_name[name] for name in rollout.object_names]
    colored = [
        PaintedMesh(name=asset.name, vertices=asset.vertices, faces=asset.faces, color=object_color(i))
        for i, asset in enumerate(shown)
    ]
    return SimulatedScene(
        rollout=rollout,
        people=add_meshes(server, f"{prefix}/people", body_surfaces(rollout.bodies)),
        skins=[body_vertices(body, frames).astype(np.float32) for body in rollout.bodies],
        objects=add_meshes(server, f"{prefix}/objects", colored, flat_shading=True),
        parts=[add_parts(server, f"{prefix}/parts", asset) for asset in shown],
        forces=[server.scene.add_label(f"{prefix}/force_{i}", "") for i in contacts],
        balls=[server.scene.add_icosphere(f"{prefix}/contact_{i}", radius=0.025, color=CONTACT_COLOR) for i in contacts],
    )


def add_floor(server: ViserServer) -> viser.GridHandle:
    """One square a metre, the world's floor."""
    return server.scene.add_grid(
        "/floor", width=12.0, height=12.0, cell_size=0.5, section_size=1.0, plane_color=(244, 245, 247), plane_opacity=1.0,
        cell_color=(222, 225, 230), section_color=(190, 196, 204), position=(0.0, 0.0, -0.002),
    )  # fmt: skip
