from __future__ import annotations

from pathlib import Path

from hldctl.ingest.arrival_times import ArrivalTimes


def times(arrivals: ArrivalTimes, *offsets: int) -> list[int]:
    return [arrivals.find_mark(offset)[1] for offset in offsets]


def test_replay_gets_the_same_arrival_times_in_any_pieces(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    path.write_text("\n10 1795377071000\n25 1795377072000\n40 1795377073000")
    arrivals = ArrivalTimes(path, folded=0)
    arrivals.cover(40)
    # Bytes between two marks arrived with the later one.
    assert times(arrivals, 5, 10, 11, 25, 40) == [
        1795377071000,
        1795377071000,
        1795377072000,
        1795377072000,
        1795377073000,
    ]
    arrivals.close()
    assert path.read_text() == "\n10 1795377071000\n25 1795377072000\n40 1795377073000"


def test_line_marked_but_not_recorded_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    path.write_text("\n10 1795377071000\n20 1795377072000")
    arrivals = ArrivalTimes(path, folded=10)
    arrivals.cover(30)
    marked, new = times(arrivals, 20, 30)
    assert marked == 1795377072000
    assert new > 1795377072000
    arrivals.close()
    assert path.read_text() == f"\n10 1795377071000\n20 1795377072000\n30 {new}"


def test_truncated_mark_does_not_affect_later_marks(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    path.write_text("\n10 1795377071000\n20 17953")
    arrivals = ArrivalTimes(path, folded=0)
    arrivals.cover(20)
    (new,) = times(arrivals, 20)
    arrivals.close()
    later = ArrivalTimes(path, folded=0)
    later.cover(20)
    assert times(later, 10, 20) == [1795377071000, new]
    later.close()
