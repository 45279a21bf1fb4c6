"""Checks of ``doctor``: ports, certificate and Supabase."""

from __future__ import annotations

import fnmatch
import socket
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from cryptography import x509

from cybertemp_imap.admin.findings import FAULT, OK, SKIPPED, WARNING, Finding, Findings, Patient
from cybertemp_imap.admin.probing import TIMEOUT, Port, greeting, is_imap, ports, readiness
from cybertemp_imap.admin.work import is_hosted
from cybertemp_imap.listening import not_bound
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.tls import Certificate

SOON = timedelta(days=14)
"""How long before its end a certificate is worth a warning."""


def check_ports(patient: Patient) -> Findings:
    """Connect to each port of the settings; where nobody answers, try to bind it."""
    settings = patient.work.settings
    found = [_port(port) for port in ports(settings) if not port.proxied]
    ready = readiness(settings)
    if ready is not None:
        state = OK if ready.startswith("ok") else FAULT
        found.append(Finding("readiness", state, ready, "" if state == OK else "see the log of the server"))
    return found or [Finding("port", SKIPPED, "the settings name no TCP port that could be asked")]


def _port(port: Port) -> Finding:
    name = f"port {port}"
    try:
        line = greeting(port)
    except ConnectionRefusedError:
        return _unused(name, port)
    except OSError as error:
        told = f"no connection: {error.strerror or error}"
        return Finding(name, FAULT, told, "see the log of the server, and the firewall")
    if is_imap(line):
        return Finding(name, OK, "an IMAP server answers")
    remedy = "stop that program, or choose another port with IMAP_BIND"
    return Finding(name, FAULT, "the port is in use by a program that does not speak IMAP", remedy)


def _unused(name: str, port: Port) -> Finding:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((port.host, port.port))
        except OSError as error:
            return Finding(name, FAULT, str(not_bound(str(port), error)))
    return Finding(name, FAULT, "no server runs here", "start it with `twistd cybertemp-imap`, and see its log")


def check_certificate(patient: Patient) -> Findings:
    """Read the certificate and key, and look at their end and names."""
    settings = patient.work.settings
    if settings.tls_cert is None or settings.tls_key is None:
        told = "no certificate is set, so clients on other machines cannot log in"
        return [Finding("certificate", WARNING, told, "set IMAP_TLS_CERT and IMAP_TLS_KEY, or have a proxy do TLS")]
    try:
        Certificate(settings.tls_cert, settings.tls_key)
    except OperatorError as error:
        return [Finding("certificate", FAULT, str(error))]
    certificate = x509.load_pem_x509_certificates(settings.tls_cert.read_bytes())[0]
    ends, now = certificate.not_valid_after_utc, datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now < ends:
        told = f"it is good from {certificate.not_valid_before_utc} to {ends}"
        return [Finding("certificate", FAULT, told, "renew it")]
    names = _names(certificate)
    if patient.name is not None and not any(_is_name(patient.name, each) for each in names):
        told = f"it is for {', '.join(names) or 'nobody'}, not for {patient.name}"
        return [Finding("certificate", FAULT, told, "get one for the name that clients connect to")]
    if ends - now < SOON:
        return [Finding("certificate", WARNING, f"it ends on {ends:%Y-%m-%d}", "renew it now")]
    return [Finding("certificate", OK, f"good until {ends:%Y-%m-%d}, for {', '.join(names)}")]


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return found.get_values_for_type(x509.DNSName)


def _is_name(name: str, pattern: str) -> bool:
    """Tell whether a name is one of the certificate's; a wildcard is one label (RFC 9525 section 6.3)."""
    return name.count(".") == pattern.count(".") and fnmatch.fnmatchcase(name.lower(), pattern.lower())


_TABLES = {"accounts": ("users", "imap_tokens"), "domains": ("domains",), "bans": ("bans",)}


def check_supabase(patient: Patient) -> Findings:
    """Ask for one row of each table that is read there."""
    settings = patient.work.settings
    tables = [table for part, names in _TABLES.items() if is_hosted(settings, part) for table in names]
    if not tables:
        return [Finding("Supabase", SKIPPED, "not used: accounts, domains and bans are in PostgreSQL")]
    return [_table(settings.supabase_url or "", settings.supabase_key or "", table) for table in tables]


def _table(url: str, key: str, table: str) -> Finding:
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    name = f"Supabase {table}"
    try:
        # Settings take nothing but https, or http on this machine.
        with urlopen(Request(f"{url}/rest/v1/{table}?select=id&limit=1", headers=headers), timeout=TIMEOUT):
            return Finding(name, OK, "can be read")
    except HTTPError as error:
        remedy = {
            401: "correct SUPABASE_SERVICE_KEY: it must be the service role key of this project",
            403: "use the service role key in SUPABASE_SERVICE_KEY",
            404: f"make the table {table}, or set the switch for it to false (docs/hosted.rst)",
        }.get(error.code, "see the status page and the log of the project")
        return Finding(name, FAULT, f"refused with status {error.code}", remedy)
    except (URLError, OSError):
        remedy = "correct SUPABASE_URL, or see the network and the project"
        return Finding(name, FAULT, f"no connection to {url}", remedy)
