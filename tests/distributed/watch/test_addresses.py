"""Rank 0 listens where ranks reach it, and nowhere else."""

from __future__ import annotations

import pytest

from ddl.distributed.watch.addresses import (
    LOOPBACK,
    facing,
    on_job_network,
    own_addresses,
    source_address,
)

OWN = {"eth0": ["10.0.0.1"], "ib0": ["192.168.5.1"], "docker0": ["172.17.0.1"]}


def route(target: str) -> str | None:
    """Return the address from which the machine of `OWN` sends: it has a network each, and a default one."""
    network = target.rpartition(".")[0]
    return next((ip for several in OWN.values() for ip in several if ip.startswith(network)), None)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([["10.0.0.2"]], ("10.0.0.1",)),
        # The bridge of the other machine's containers has the address of ours.
        ([["172.17.0.1", "10.0.0.2"], ["10.0.0.3", "172.17.0.1"]], ("10.0.0.1",)),
        ([["10.0.0.2", "192.168.5.2"]], ("10.0.0.1", "192.168.5.1")),
        # No route, or the same machine under two names: every address but the loopback's.
        ([["198.51.100.7"]], ("10.0.0.1", "192.168.5.1", "172.17.0.1")),
        ([["10.0.0.1", "192.168.5.1", "172.17.0.1"]], ("10.0.0.1", "192.168.5.1", "172.17.0.1")),
    ],
)
def test_the_heartbeat_port_is_open_only_towards_the_other_machines(
    others: list[list[str]], expected: tuple[str, ...]
) -> None:
    own = [address for several in OWN.values() for address in several]
    assert facing(own, [own, *others], route) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OMPI_MCA_btl_tcp_if_include": "ib0"}, ["192.168.5.1"]),
        ({"OMPI_MCA_btl_tcp_if_include": "10.0.0.0/8,ib0"}, ["10.0.0.1", "192.168.5.1"]),
        ({"HOROVOD_GLOO_IFACE": "eth0"}, ["10.0.0.1"]),
        (
            {"OMPI_MCA_btl_tcp_if_include": "eth7,1.2.3/x"},
            ["10.0.0.1", "192.168.5.1", "172.17.0.1"],
        ),
        ({}, ["10.0.0.1", "192.168.5.1", "172.17.0.1"]),
    ],
)
def test_the_heartbeat_port_keeps_to_the_network_of_the_job(
    environ: dict[str, str], expected: list[str]
) -> None:
    assert on_job_network(OWN, environ) == expected


def test_a_machine_without_network_has_the_loopback() -> None:
    assert facing([], [[]]) == (LOOPBACK,)


def test_this_machine_is_read_as_it_is() -> None:
    assert LOOPBACK not in [address for several in own_addresses().values() for address in several]
    assert source_address(LOOPBACK) == LOOPBACK
