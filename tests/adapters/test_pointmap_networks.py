import argparse
import math
from dataclasses import replace

import golden_pointmap_networks as golden
import pytest
import torch
from golden_networks import FOLDER, assert_as_remembered, filled, noise
from golden_pointmap_networks import CASES, picture, tiny_cut3r, tiny_dust3r, tiny_human3r
from safetensors.torch import load_file, save_file

from hsimul3r.errors import BadWeights, WrongWeights
from stages.adapters.cut3r import load_cut3r
from stages.adapters.dust3r import load_dust3r
from stages.adapters.human3r import load_human3r
from stages.adapters.networks.blocks import Rotary, grid_places, set_precision
from stages.adapters.networks.cut3r_net import Cut3r, Cut3rSizes
from stages.adapters.networks.dust3r_net import Dust3r, Dust3rSizes
from stages.adapters.networks.human3r_net import Pool, fit_square, match_people, token_places, transport

CALL = "AsymmetricCroCo3DStereo(enc_num_heads=2, dec_num_heads=2, depth_mode=('exp', -inf, inf), img_size=(512, 512))"


@pytest.fixture(autouse=True)
def no_gradient():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("name", CASES)
def test_networks_compute_what_they_did_when_they_agreed_with_the_official_code(name):
    assert_as_remembered(name, CASES[name](), atol=5e-5)


@pytest.mark.parametrize(("constant", "wrong"), [("EPS", 1e-5), ("ROPE_BASE", 1e4)])
def test_a_wrong_constant_would_be_noticed(constant, wrong, monkeypatch):
    monkeypatch.setattr(f"stages.adapters.networks.blocks.{constant}", wrong)
    remembered, now = load_file(FOLDER / "dust3r_linear.safetensors"), CASES["dust3r_linear"]()
    assert float((now["points1"] - remembered["points1"]).abs().max()) > 1e-3


def test_full_sizes_are_the_published_ones():
    with torch.device("meta"):
        networks = Dust3r(Dust3rSizes()), Cut3r(Cut3rSizes())
    assert [sum(p.numel() for p in net.parameters()) for net in networks] == [571_171_208, 793_307_858]
    assert [len(net.state_dict()) for net in networks] == [1009, 1248]


def test_rope_turns_by_the_row_then_by_the_column():
    """A head of eight: angles row, row / 10, column, column / 10, as 100^(-1/2) is a tenth."""
    x = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 1, 8)
    turned = Rotary.at(torch.tensor([[[3, 5]]]), 8).turn(x)[0, 0, 0]
    expected = [math.cos(3), 0, math.sin(3), 0, math.cos(5), 0, math.sin(5), 0]
    torch.testing.assert_close(turned, torch.tensor(expected))
    x = x.roll(1)
    turned = Rotary.at(torch.tensor([[[3, 5]]]), 8).turn(x)[0, 0, 0]
    torch.testing.assert_close(turned[[1, 3]], torch.tensor([math.cos(0.3), math.sin(0.3)]))


def test_rope_depends_on_differences_of_places_only_below_zero_too():
    q, k = noise("q", 1, 2, 6, 8), noise("k", 1, 2, 6, 8)
    places = grid_places(2, 3)
    logits = [Rotary.at(p, 8).turn(q) @ Rotary.at(p, 8).turn(k).mT for p in (places, places - 4)]
    torch.testing.assert_close(logits[0], logits[1], atol=1e-5, rtol=0)


def test_one_decoder_means_the_same_weights_for_both_pictures():
    net = tiny_dust3r("linear")
    single = {name: x for name, x in net.state_dict().items() if not name.startswith("dec_blocks2.")}
    net.load_state_dict(Dust3r.completed(single))
    net.downstream_head2.load_state_dict(net.downstream_head1.state_dict())
    a, b = net.encode(picture("a")), net.encode(picture("b"))
    (first, second), (second_again, first_again) = net.decode(a, b), net.decode(b, a)
    torch.testing.assert_close(first.points, first_again.points)
    torch.testing.assert_close(second.confidence, second_again.confidence)


def test_pictures_of_a_batch_do_not_touch_one_another():
    net = tiny_dust3r()
    both = [net.encode(torch.cat([picture("a"), picture(other)])) for other in ("b", "c")]
    alone = net.decode(*(net.encode(picture("a")) for _ in range(2)))[0].points
    torch.testing.assert_close(net.decode(both[0], both[1])[0].points[:1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [tiny_dust3r, tiny_cut3r, tiny_human3r])
def test_half_precision_is_near_and_heads_stay_whole(make):
    def answer(net):
        if isinstance(net, Dust3r):
            return net.decode(net.encode(picture("a")), net.encode(picture("b")))[0].points
        out = net.step(picture("a"), net.start())[0] if make is tiny_cut3r else net.see(picture("a"), net.begin())[0]
        return out.world.points

    whole, half = make(), make()
    set_precision(half, torch.bfloat16)
    assert {p.dtype for name, p in half.named_parameters() if name.startswith("downstream_head")} == {torch.float32}
    assert {p.dtype for name, p in half.named_parameters() if not name.startswith("downstream_head")} == {torch.bfloat16}
    difference = (answer(half) - answer(whole)).norm() / answer(whole).norm()
    assert 1e-4 < float(difference) < 0.1


class TestRecurrence:
    def test_a_picture_that_may_not_teach_leaves_the_state_alone(self):
        net = tiny_cut3r()
        _, state = net.step(picture("a"), net.start())
        out, after = net.step(picture("b"), state, update=False)
        assert torch.equal(after.tokens, state.tokens) and torch.equal(after.memory, state.memory)
        assert torch.equal(net.step(picture("b"), state)[0].world.points, out.world.points)

    def test_what_came_before_matters_until_a_reset(self):
        net = tiny_cut3r()
        first, second = (net.step(picture(name), net.start())[1] for name in "ab")
        assert not torch.allclose(net.step(picture("c"), first)[0].camera_pose, net.step(picture("c"), second)[0].camera_pose)
        first, second = (net.step(picture("c"), state, reset=True)[1] for state in (first, second))
        assert torch.equal(net.step(picture("d"), first)[0].camera_pose, net.step(picture("d"), second)[0].camera_pose)

    def test_the_state_does_not_grow(self):
        net, sizes = tiny_cut3r(), set()
        state = net.start()
        for n in range(5):
            _, state = net.step(picture(f"frame{n}"), state)
            sizes.add((state.tokens.shape, state.memory.shape))
        assert len(sizes) == 1

    def test_the_gate_holds_back_from_the_second_picture_on(self):
        net = tiny_cut3r()
        _, state = net.step(picture("a"), net.start(), is_gated=True)
        assert torch.equal(state.tokens, net.step(picture("a"), net.start())[1].tokens)
        free, held = (net.step(picture("b"), state, is_gated=gated)[1].tokens - state.tokens for gated in (False, True))
        share = (held / free).median(dim=-1).values
        torch.testing.assert_close(held, share[..., None] * free, atol=1e-4, rtol=1e-3)
        assert ((share > 0) & (share < 1)).all()


class TestPeople:
    def test_nobody_in_a_picture_is_no_one(self):
        net = tiny_human3r()
        net.downstream_head.mlp_classif[2].bias.fill_(-50)
        out, people, state = net.see(picture("a"), net.begin())
        assert people.rotations.shape == (0, 53, 3, 3) and len(state.pool.ids) == 0
        assert torch.isfinite(out.world.points).all()

    def test_the_head_place_maps_from_the_square_to_the_picture(self):
        """A picture of 48 x 80 in a square of 84: scale 1.05, 16 px of padding above."""
        places = torch.tensor([[0.0, 0.0], [83.9, 83.9], [42.0, 42.0], [42.0, 17.0]])
        assert token_places(places, (48, 80), 84).tolist() == [[0, 0], [2, 4], [1, 2], [0, 2]]

    def test_the_square_is_centred_and_black_around(self):
        square = fit_square(torch.full((1, 3, 48, 80), 0.5), 84)
        assert square.shape == (1, 3, 84, 84)
        inside = (square[0, 0] > 0).nonzero()
        assert inside.min(0).values.tolist() == [17, 0] and inside.max(0).values.tolist() == [66, 83]
        torch.testing.assert_close(square.unique()[[0, -1]], torch.tensor([-1.0, 0.5]))
        assert len(inside) == 50 * 84

    def test_people_keep_their_numbers_and_new_ones_count_up(self):
        known = Pool(tokens=torch.eye(3, 8) * 30, ids=torch.tensor([0, 1, 2]))
        tokens = torch.stack([known.tokens[2] + 0.1, torch.full((8,), 50.0), known.tokens[0]])
        ids, pool = match_people(tokens, known)
        assert ids.tolist() == [2, 3, 0] and pool.ids.tolist() == [0, 1, 2, 3]
        assert torch.equal(pool.tokens[1], known.tokens[1]), "who is out of sight is remembered"
        assert torch.equal(pool.tokens[2], tokens[0])
        again, _ = match_people(known.tokens[1:2], pool)
        assert again.tolist() == [1]

    def test_transport_shares_what_is_there(self):
        shares = transport(-5 * torch.rand(4, 4, generator=torch.Generator().manual_seed(0))).exp()
        assert (shares.sum(0) <= 1 + 1e-4).all() and (shares.sum(1) <= 1 + 1e-4).all()
        assert float(transport(torch.tensor([[0.0]])).exp()) > 0.95
        assert float(transport(torch.tensor([[-100.0]])).exp()) < 1e-6


class TestLoading:
    def save(self, net, path, **extra):
        torch.save({"model": net.state_dict(), **extra}, path)
        return path

    def test_sizes_are_read_off_a_published_checkpoint(self, tmp_path):
        net = tiny_dust3r()
        path = self.save(net, tmp_path / "net.pth", args=argparse.Namespace(model=CALL))
        read = load_dust3r(path)
        assert read.sizes == net.sizes
        pair = [[n.encode(picture(name)) for name in "ab"] for n in (net, read)]
        assert torch.equal(net.decode(*pair[0])[1].points, read.decode(*pair[1])[1].points)

    def test_safetensors_may_leave_out_second_names(self, tmp_path):
        net = tiny_dust3r()
        weights = {name: x for name, x in net.state_dict().items() if ".layer_rn." not in name}
        assert len(weights) < len(net.state_dict())
        save_file(weights, tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text('{"enc_num_heads": 2, "dec_num_heads": 2}')
        read = load_dust3r(tmp_path / "model.safetensors")
        name = "downstream_head2.dpt.scratch.layer_rn.3.weight"
        assert torch.equal(read.state_dict()[name], net.state_dict()[name])

    def test_recurrent_networks_load_with_their_ray_encoders(self, tmp_path):
        arguments = "ARCroco3DStereo(ARCroco3DStereoConfig(enc_num_heads=2, dec_num_heads=2, state_dec_num_heads=1))"
        net = filled(Cut3r(replace(tiny_cut3r().sizes, ray_blocks=2, encoder=replace(golden.ENCODER, width=16))))
        read = load_cut3r(self.save(net, tmp_path / "cut3r.pth", args=argparse.Namespace(model=arguments)))
        assert read.sizes == net.sizes and read.state_dict().keys() == net.state_dict().keys()
        arguments = arguments.replace("state_dec_num_heads=1", "state_dec_num_heads=1, dino_heads=2, mhmr_img_res=84")
        people = tiny_human3r()
        read = load_human3r(self.save(people, tmp_path / "human3r.pth", args=argparse.Namespace(model=arguments)))
        assert read.sizes == people.sizes

    @pytest.mark.parametrize("load", [load_dust3r, load_cut3r, load_human3r])
    def test_weights_of_another_model_are_refused_by_name(self, load, tmp_path):
        model = {load_dust3r: "DUSt3R", load_cut3r: "CUT3R", load_human3r: "Human3R"}[load]
        other = tiny_dust3r("linear") if load is not load_dust3r else tiny_cut3r()
        path = self.save(other, tmp_path / "other.pth")
        with pytest.raises(WrongWeights, match=f"other.pth' are not {model}'s: .*Give the path of {model}'s weights"):
            load(path)

    def test_other_ways_to_read_the_outputs_are_refused(self, tmp_path):
        call = CALL.replace("'exp'", "'linear'")
        path = self.save(tiny_dust3r(), tmp_path / "net.pth", args=argparse.Namespace(model=call))
        with pytest.raises(WrongWeights, match="trained with depth_mode 'linear', not 'exp'"):
            load_dust3r(path)

    def test_a_checkpoint_cut_short_is_bad_weights(self, tmp_path):
        path = self.save(tiny_dust3r(), tmp_path / "net.pth")
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(BadWeights, match="damaged or cut short"):
            load_dust3r(path)
