"""What the tests of the map share: a world, and which of its images the map draws."""

from tests.dashboard.worlds import World

WRONG = "country_correct = 0"
PLACED = "pred_latitude_deg IS NOT NULL AND true_latitude_deg IS NOT NULL"


def make_map_world(folder):
    made = World(folder)
    made.add_run("first", skill=0.6, seed=3)
    return made


def one_alone(world):
    """A wrong image, and parameters that leave it alone on the map."""
    rows = world.sql(
        "SELECT image_id, true_country, pred_country FROM predictions AS p "
        f"WHERE {WRONG} AND {PLACED} AND true_country <> 'ZA' AND 1 = (SELECT COUNT(*) "
        "FROM predictions AS q WHERE q.run_id = p.run_id AND q.true_country = p.true_country "
        "AND q.pred_country = p.pred_country) ORDER BY image_id"
    )
    image_id, true, predicted = rows[0]
    return image_id, {"country": true, "predicted": predicted}
