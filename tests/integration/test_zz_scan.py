import pytest
from tests.integration.test_loop import *
@pytest.mark.parametrize("unclear", [1.1,1.3])
@pytest.mark.parametrize("error", [0.15,0.25])
def test_scan(client, unclear, error):
    world = World(client, unclear=unclear)
    row = world.begin(Params("kind", ("red", "green"), error, 0.5, True, 10, 20, 8, 0, 2, 7))
    world.play(row)
    open("/tmp/scan.txt","a").write(f"{unclear} {error} " + str([(r.way, r.auto, r.open, r.bound, r.promise) for r in world.rounds(row)])+"\n")
