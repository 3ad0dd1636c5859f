"""Copies that are made while writers work: they open, and what they hold is whole.

Every tool that lists a folder before it descends into it (``cp``, ``tar``, ``rsync``) finds a record only when all of
its attempt is there already, as the record is put last and an attempt never changes. A tool that lists the whole tree
file by file, as the synchronisation of buckets does, may list an attempt before it is whole and its record after that:
such a product is noticed when it is read, and computed again by the next run.
"""

import shutil
import subprocess

import pytest

from execute.machines import eventually
from store.written import key, product
from survival.actor import put
from survival.stage import digests
from xgamma.errors import DamagedError
from xgamma.store import Store
from xgamma.store.integrity import check_product, read_contents

COPIES, PRODUCTS = 60, 12


def with_cp(source, copy):
    subprocess.run(["cp", "-r", source, copy], check=False, capture_output=True)


def with_tar(source, copy):
    copy.mkdir()
    command = f'tar -C "{source}" -cf - . 2>/dev/null | tar -C "{copy}" -xf -'
    subprocess.run(command, shell=True, check=False, capture_output=True)


def with_python(source, copy):
    """Copy a folder after its listing was read, the last entry first: records before attempts."""
    copy.mkdir()
    for path in sorted(source.iterdir(), reverse=True):
        if path.is_dir():
            with_python(path, copy / path.name)
        elif path.exists():
            shutil.copyfile(path, copy / path.name)


def with_buckets_sync(source, copy):
    """List the files of attempts, then the records: an attempt may be listed before all of it is there."""
    listed = [path for path in source.rglob("*") if path.is_file() and path.name != "record.json"]
    for path in [*listed, *source.rglob("record.json")]:
        if path.exists():
            target = copy / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def copies_while(actors, folder, copying, number):
    """Yield stores that were copied while one of two writers was at work, and how many products they then lack."""
    made, round_number = 0, 0
    while made < number:
        source = folder / f"source{round_number}"
        Store(source)
        for half, actor in enumerate(actors):
            actor.enter(put.__name__, source, half * PRODUCTS // 2, (half + 1) * PRODUCTS // 2)
        for actor in actors:
            actor.go()
        # They load what writes; copies of nothing prove nothing.
        eventually(lambda source=source: any(source.glob("dl4/*")))
        while made < number and len(list(source.glob("dl4/*/record.json"))) < PRODUCTS:
            copy = folder / f"copy{made}"
            copying(source, copy)
            made += 1
            yield Store(copy)
        for actor in actors:
            actor.end()
        round_number += 1


@pytest.mark.some_long(3)
@pytest.mark.parametrize("copying", [with_cp, with_tar, with_python], ids=lambda copying: copying.__name__)
def test_a_copy_that_is_made_while_writers_work_holds_whole_products(copying, actors, quick_folder, witness, survival):
    held = []
    with survival(f"copies made meanwhile, {copying.__name__.replace('_', ' ')}") as tally:
        for copy in copies_while(actors, quick_folder, copying, COPIES // 3):
            with tally.trial():
                witness.assert_whole(copy)
                assert read_contents(copy).faults == ()
                held.append(len(copy.ls()))
        tally.remark = f"with {min(held)} to {max(held)} of {PRODUCTS} products"
    assert max(held) > 0


@pytest.mark.long
def test_products_missing_from_an_interrupted_copy_are_computed_again(actors, quick_folder, witness, survival):
    cut = 0
    with survival("copies made meanwhile, file by file") as tally:
        for copy in copies_while(actors, quick_folder, with_buckets_sync, COPIES // 3):
            with tally.trial():
                faults = [fault for record in copy.ls() for fault in check_product(copy, record).faults]
                for record in copy.ls():
                    try:
                        [copy.get("dl4", record.key, group) for group in record.digests]
                    except DamagedError as damage:
                        cut += 1
                        assert f"dl4/{record.key}" in {fault.where for fault in faults}
                        copy.set_aside(damage)
                for number in range(PRODUCTS):
                    copy.put("dl4", key(number), product(number), {})
                witness.assert_whole(copy)
                assert len(digests(copy)) == PRODUCTS
        tally.remark = f"{cut} products were cut off, said so and were put again"
