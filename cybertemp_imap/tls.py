"""TLS: certificates that are read again when they change, and what connections are encrypted with.

A connection is made with the certificate that holds then, and keeps it, so renewing one disturbs nobody.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from cybertemp_imap.operator_error import OperatorError

# Forward secrecy and authenticated encryption only, which clients have had since 2013. TLS 1.3 has a list of its own,
# which holds nothing else.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE

IMAP = b"imap"
"""IMAP's name in ALPN (RFC 7301)."""

T = TypeVar("T")

_State = tuple[tuple[int, ...] | None, ...]


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """A certificate and its key, in files that may change.

    ``chain`` is a file with more certificates, where they are not in the certificate's own file.
    """

    _log = Logger()

    def __init__(self, certificate: Path, key: Path, chain: Path | None = None) -> None:
        """Read the files; raises :class:`OperatorError` where they cannot be used."""
        self._certificate = certificate
        self._key = key
        self._chain = chain
        self._seen = self._state()
        self._context = self._read()

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """Return the TLS of a new connection."""
        return SSL.Connection(self._context, None)

    def look(self) -> None:
        """Read the files again if they have changed."""
        if self._state() != self._seen:
            self.reload()

    def reload(self) -> None:
        """Read the files again; one that cannot be used is logged, and the certificate stays what it was."""
        self._seen = self._state()
        try:
            self._context = self._read()
        except OperatorError as error:
            self._log.error("The old certificate is kept: {reason}", reason=str(error))
        else:
            self._log.info("The certificate of {file} was read again.", file=self._certificate)

    @property
    def _files(self) -> Sequence[Path]:
        return [self._certificate, self._key, *([self._chain] if self._chain else [])]

    def _state(self) -> _State:
        """Return what changes when a file is written, replaced or removed, or a link to it turned."""
        return tuple(_state_of(path) for path in self._files)

    def _read(self) -> SSL.Context:
        certificates = _parsed(self._certificate, "certificate", x509.load_pem_x509_certificates)
        if self._chain is not None:
            certificates += _parsed(self._chain, "certificate", x509.load_pem_x509_certificates)
        key = _parsed(self._key, "private key", _private_key)
        if key.public_key() != certificates[0].public_key():
            raise OperatorError(
                f"The private key in {self._key} does not belong to the certificate in {self._files[0]}."
            )
        context = _context()
        try:
            context.use_certificate(certificates[0])
            for each in certificates[1:]:
                context.add_extra_chain_cert(each)
            context.use_privatekey(key)
            context.check_privatekey()
        except (SSL.Error, TypeError, ValueError):
            # OpenSSL refuses keys that are too short, and kinds of keys that TLS does not have.
            raise OperatorError(f"The certificate in {self._certificate} cannot be used for TLS.") from None
        return context


def _context() -> SSL.Context:
    """Return a context with everything but a certificate."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_cipher_list(_CIPHERS)
    # Sessions are resumed by tickets, which clients keep; a cache here would only grow.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"cybertemp-imap")
    context.set_alpn_select_callback(_choose_protocol)
    return context


def _private_key(octets: bytes) -> Any:
    return load_pem_private_key(octets, None)


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    # Some mail programs offer the protocols of the web, whatever they speak: they are served without ALPN.
    return IMAP if IMAP in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _parsed(path: Path, what: str, parse: Callable[[bytes], T]) -> T:
    """Read a file of PEM; every way in which that fails is one sentence."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise OperatorError(f"The {what} {path} cannot be read: {error.strerror}.") from None
    except TypeError:
        raise OperatorError(f"The {what} {path} is encrypted: give one without a passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise OperatorError(f"There is no {what} in {path} that could be read; it must be in PEM form.") from None


def _state_of(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
