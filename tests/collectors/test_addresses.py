"""Which addresses are asked: never link-local and metadata ones, private ones only where the configuration says so."""

from __future__ import annotations

import ipaddress

import pytest

from stoma.collectors.addresses import fault, fault_of_name, literal

NEVER = [
    "169.254.169.254", "169.254.1.2", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
    # The same inside addresses of IPv6: mapped, translated (NAT64), tunnelled (6to4), compatible.
    "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1", "::169.254.169.254",
]  # fmt: skip
INSIDE = [
    "127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.1.1", "0.0.0.0", "100.64.0.1", "198.18.0.1", "::1", "fd12::1",
    "::ffff:127.0.0.1", "64:ff9b::10.0.0.5", "2002:0a00:0005::1", "224.0.0.1", "::",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:0808:0808::1",
]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("address", NEVER)
def test_never_whatever_is_named(address: str, named: bool):
    assert "never asked" in fault(ipaddress.ip_address(address), named)
    assert "never asked" in fault_of_name(f"[{address}]" if ":" in address else address, named)


@pytest.mark.parametrize("address", INSIDE)
def test_inside_a_network_only_when_named(address: str):
    assert "private address" in fault(ipaddress.ip_address(address), False)
    assert fault(ipaddress.ip_address(address), True) == ""


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones_always(address: str):
    assert fault(ipaddress.ip_address(address), False) == ""


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("2852039166", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"), ("169.254.169.254.", "169.254.169.254"),
        ("[fe80::1%eth0]", "fe80::1"), ("１６９.254.169.254", "169.254.169.254"),
    ],
)  # fmt: skip
def test_spellings_that_systems_understand(host: str, address: str):
    assert str(literal(host)) == address


@pytest.mark.parametrize(
    "host", ["example.org", "1.example.org", "a.b", "", "localhost", "cafe.example", "0xyz"]
)
def test_names_are_no_addresses(host: str):
    assert literal(host) is None
    assert fault_of_name(host, False) == ""


@pytest.mark.parametrize("host", ["metadata.google.internal", "Metadata.Google.Internal."])
def test_metadata_servers_by_name(host: str):
    assert "never asked" in fault_of_name(host, True)
