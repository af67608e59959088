"""The addresses of this machine on which the other ranks reach it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Mapping, Sequence

LOOPBACK = "127.0.0.1"

_ANY_PORT = 9  # connecting a UDP socket sends nothing
_INTERFACES = ("OMPI_MCA_btl_tcp_if_include", "HOROVOD_GLOO_IFACE")
"""Variables with the network of the job's own messages: interfaces (eth0) or networks (10.0.0.0/8), comma-separated."""


def own_addresses() -> dict[str, list[str]]:
    """Return this machine's IPv4 addresses by interface, without the loopback."""
    import psutil

    found = {
        name: [entry.address for entry in entries if entry.family == socket.AF_INET]
        for name, entries in psutil.net_if_addrs().items()
    }
    return {
        name: kept
        for name, addresses in found.items()
        if (kept := [address for address in addresses if not address.startswith("127.")])
    }


def on_job_network(
    addresses: Mapping[str, Sequence[str]], environ: Mapping[str, str] | None = None
) -> list[str]:
    """Return the addresses on the network that the launcher was told to use, or all of them if it was told nothing."""
    environ = os.environ if environ is None else environ
    named = next((environ[name] for name in _INTERFACES if environ.get(name)), "")
    chosen = [
        address
        for interface, several in addresses.items()
        for address in several
        if any(_matches(interface, address, word) for word in named.split(","))
    ]
    return chosen or [address for several in addresses.values() for address in several]


def source_address(target: str) -> str | None:
    """Return the address from which this machine sends to `target`, or None if it has no route. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, _ANY_PORT))
            return str(probe.getsockname()[0])
        except OSError:
            return None


def facing(
    own: Sequence[str],
    others: Sequence[Sequence[str]],
    source: Callable[[str], str | None] = source_address,
) -> tuple[str, ...]:
    """Return those of this machine's addresses from which it sends to the other machines.

    Other machines may have addresses that this one has, too (bridges of containers): they lead nowhere.

    Args:
        own: this machine's addresses.
        others: the addresses of each other rank's machine.
        source: returns the address from which this machine sends to another address.
    """
    targets = dict.fromkeys(address for addresses in others for address in addresses)
    found = dict.fromkeys(source(target) for target in targets if target not in own)
    return tuple(address for address in own if address in found) or tuple(own) or (LOOPBACK,)


def _matches(interface: str, address: str, word: str) -> bool:
    if "/" not in word:
        return interface == word
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
