"""The settings of mail clients over HTTP: files for programs, a page for people, and what hostile clients send."""

from __future__ import annotations

import plistlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap import service as service_module
from cybertemp_imap.config import Settings
from cybertemp_imap.web.apple import profile
from cybertemp_imap.web.autodiscover import asked_for
from cybertemp_imap.web.http import MAX_BODY, site_of
from cybertemp_imap.web.page import page
from cybertemp_imap.web.public import PublicRoot
from cybertemp_imap.web.settings import ClientSettings, ServerChoice, client_settings, email_of
from test.web import Reply, asked, started

HOST = "imap.example.com"
EMAIL = "me@example.org"
BOTH = ClientSettings(HOST, "Example & Söhne <Mail>", (ServerChoice(993, False), ServerChoice(143, True)))
HOSTILE = (
    '"><script>alert(1)</script>@example.com',
    "a@b.c</domain><x>",
    "me@example.org\r\nSet-Cookie: a=b",
    "&xxe;@example.com",
    "%EMAILADDRESS%",
    "me@" + "a" * 300 + ".com",
    "me@exa\0mple.com",
    "m\u00e9@example.org",
    "me@example.org\u202e",
)

QUESTION = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request>
    <EMailAddress>{}</EMailAddress>
    <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""

_OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


class SettingsTests(SynchronousTestCase):
    """What is told of a server."""

    def test_choices(self) -> None:
        """TLS from the first octet comes first; a port that is 0 is not told; the name is the host's by default."""
        settings = client_settings(Settings(public_host=HOST, public_starttls_port=143))
        self.assertEqual((settings.host, settings.name), (HOST, HOST))
        self.assertEqual(settings.choices, (ServerChoice(993, False), ServerChoice(143, True)))
        alone = client_settings(Settings(public_host=HOST, public_tls_port=0, public_starttls_port=1143))
        self.assertEqual(alone.choices, (ServerChoice(1143, True),))

    def test_addresses(self) -> None:
        """Only plain addresses are taken for ones."""
        for good in (EMAIL, "a.b+c@sub.example.com", " me@example.org "):
            self.assertEqual(email_of(good), good.strip())
        for bad in (None, "", "me", "me@", "@example.org", "me@localhost", *HOSTILE):
            self.assertIsNone(email_of(bad), bad)


class PublicTestCase(TestCase):
    """The public resources on a port."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Serve them."""
        site: Any = site_of(PublicRoot(BOTH), reactor)
        port: Any = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site)
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        self.addCleanup(site.disconnect)
        self.port = port.getHost().port

    async def ask(self, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Reply:
        """Ask, and check what every answer must be."""
        reply = await asked(self.port, path, body, method, **headers)
        self.assertNotIn("set-cookie", reply.headers)
        self.assertNotIn("server", reply.headers)
        self.assertIn("default-src 'none'", reply.headers["content-security-policy"])
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
        self.assertEqual(reply.headers["x-frame-options"], "DENY")
        self.assertEqual(reply.headers["referrer-policy"], "no-referrer")
        return reply


class AutoconfigTests(PublicTestCase):
    """Thunderbird's document."""

    def check(self, reply: Reply, domain: str, user: str) -> None:
        """See that a document has all that it must have."""
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.headers["content-type"].startswith("application/xml"))
        root = ElementTree.fromstring(reply.body)
        self.assertEqual((root.tag, root.get("version")), ("clientConfig", "1.1"))
        provider = root.find("emailProvider")
        assert provider is not None
        self.assertEqual(provider.get("id"), HOST)
        self.assertEqual([each.text for each in provider.findall("domain")], [domain])
        self.assertEqual(provider.findtext("displayName"), BOTH.name)
        servers = [{each.tag: each.text for each in server} for server in provider.findall("incomingServer")]
        common = {"hostname": HOST, "authentication": "password-cleartext", "username": user}
        self.assertEqual(
            servers,
            [{**common, "port": "993", "socketType": "SSL"}, {**common, "port": "143", "socketType": "STARTTLS"}],
        )
        self.assertEqual({each.get("type") for each in provider.findall("incomingServer")}, {"imap"})

    async def test_both_paths(self) -> None:
        """It is where Thunderbird looks on the domain itself, and on its autoconfig host."""
        for path in ("/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml"):
            self.check(await self.ask(path), HOST, "%EMAILADDRESS%")
            self.check(await self.ask(f"{path}?emailaddress={quote(EMAIL)}"), "example.org", EMAIL)

    async def test_hostile_addresses(self) -> None:
        """What is no address counts as none, and is nowhere in the answer."""
        for hostile in HOSTILE:
            self.check(await self.ask(f"/mail/config-v1.1.xml?emailaddress={quote(hostile)}"), HOST, "%EMAILADDRESS%")
        self.check(await self.ask("/mail/config-v1.1.xml?emailaddress=%ff%fe@example.com"), HOST, "%EMAILADDRESS%")


class AutodiscoverTests(PublicTestCase):
    """Outlook's question and answer."""

    async def discover(self, body: bytes, path: str = "/autodiscover/autodiscover.xml") -> ElementTree.Element:
        """Ask as Outlook does, and return the response."""
        reply = await self.ask(path, body, **{"Content-Type": "text/xml"})
        self.assertEqual(reply.status, 200)
        root = ElementTree.fromstring(reply.body)
        self.assertEqual(
            root.tag, "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}Autodiscover"
        )
        response = root.find(f"{_OUTLOOK}Response")
        assert response is not None
        return response

    async def test_settings(self) -> None:
        """The account's address is the login name, whatever the spelling of the path."""
        for path in (
            "/autodiscover/autodiscover.xml",
            "/Autodiscover/Autodiscover.xml",
            "/AutoDiscover/autodiscover.XML",
        ):
            response = await self.discover(QUESTION.format(EMAIL).encode(), path)
            account = response.find(f"{_OUTLOOK}Account")
            assert account is not None
            self.assertEqual(account.findtext(f"{_OUTLOOK}AccountType"), "email")
            self.assertEqual(account.findtext(f"{_OUTLOOK}Action"), "settings")
            found = [
                {each.tag.removeprefix(_OUTLOOK): each.text for each in protocol}
                for protocol in account.findall(f"{_OUTLOOK}Protocol")
            ]
            self.assertEqual([each["Port"] for each in found], ["993", "143"])
            self.assertEqual([each["Encryption"] for each in found], ["SSL", "TLS"])
            for each in found:
                self.assertEqual((each["Type"], each["Server"], each["LoginName"]), ("IMAP", HOST, EMAIL))
                self.assertEqual((each["SSL"], each["SPA"], each["AuthRequired"]), ("on", "off", "on"))

    async def test_not_understood(self) -> None:
        """Whatever else is sent gets the error that Outlook knows."""
        bomb = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;">]><EMailAddress>a@b.cc&y;</EMailAddress>'
        file = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><EMailAddress>&x;</EMailAddress>'
        deep = b"<a>" * 4000 + b"</a>" * 1000
        other = b'<?xml version="1.0" encoding="no-such"?><EMailAddress>a@b.cc</EMailAddress>'
        for body in (b"", b"hello", bomb, file, deep, other, QUESTION.format("&lt;x&gt;@example.com").encode()):
            response = await self.discover(body)
            self.assertEqual(response.findtext(f"{_OUTLOOK}Error/{_OUTLOOK}ErrorCode"), "600")

    async def test_only_by_post(self) -> None:
        """A question without a body is none."""
        self.assertEqual((await self.ask("/autodiscover/autodiscover.xml")).status, 405)
        self.assertEqual((await self.ask("/autodiscover/else.xml")).status, 404)

    async def test_too_long(self) -> None:
        """A body beyond the limit is not taken in, whether its length is announced or not."""
        self.assertEqual((await asked(self.port, "/autodiscover/autodiscover.xml", b"x" * (MAX_BODY + 1))).status, 413)
        chunks = b"%x\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1) + b"\r\n0\r\n\r\n"
        reply = await asked(self.port, "/autodiscover/autodiscover.xml", chunks, **{"Transfer-Encoding": "chunked"})
        self.assertEqual(reply.status, 413)

    def test_prefixes(self) -> None:
        """The address is found under any prefix, and put together from its pieces."""
        question = b'<r:A xmlns:r="u"><r:EMailAddress>me&#64;<![CDATA[example]]>.org</r:EMailAddress><b>x</b></r:A>'
        self.assertEqual(asked_for(question), EMAIL)


class AppleTests(PublicTestCase):
    """The configuration profile."""

    async def test_profile(self) -> None:
        """It is a property list with one mail account, which asks for the password."""
        reply = await self.ask(f"/mail.mobileconfig?email={quote(EMAIL)}")
        self.assertEqual(reply.headers["content-type"], "application/x-apple-aspen-config")
        self.assertIn("mail.mobileconfig", reply.headers["content-disposition"])
        found = plistlib.loads(reply.body)
        self.assertEqual((found["PayloadType"], found["PayloadVersion"]), ("Configuration", 1))
        (mail,) = found["PayloadContent"]
        self.assertEqual(mail["PayloadType"], "com.apple.mail.managed")
        self.assertEqual(mail["EmailAccountType"], "EmailTypeIMAP")
        self.assertEqual((mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]), (HOST, 993))
        self.assertIs(mail["IncomingMailServerUseSSL"], True)
        self.assertEqual((mail["EmailAddress"], mail["IncomingMailServerUsername"]), (EMAIL, EMAIL))
        self.assertNotIn("IncomingPassword", mail)
        self.assertNotEqual(mail["PayloadUUID"], found["PayloadUUID"])
        self.assertRegex(mail["PayloadUUID"], r"^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$")

    async def test_no_address(self) -> None:
        """Without an address the device asks; with what is none, the person is told."""
        (mail,) = plistlib.loads((await self.ask("/mail.mobileconfig")).body)["PayloadContent"]
        self.assertNotIn("EmailAddress", mail)
        for hostile in HOSTILE:
            reply = await self.ask(f"/mail.mobileconfig?email={quote(hostile)}")
            self.assertEqual((reply.status, reply.headers["content-type"]), (400, "text/plain; charset=utf-8"))
            self.assertNotIn(hostile.encode()[:12], reply.body)

    def test_installed_again(self) -> None:
        """The same server and address give the same profile, others another."""
        self.assertEqual(profile(BOTH, EMAIL), profile(BOTH, EMAIL))
        one, two = (plistlib.loads(profile(BOTH, each)) for each in (EMAIL, "you@example.org"))
        for name in ("PayloadUUID", "PayloadIdentifier"):
            self.assertNotEqual(one[name], two[name])


class Reading(HTMLParser):
    """What a page has: elements with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


class PageTests(PublicTestCase):
    """The page for people."""

    async def test_settings(self) -> None:
        """It tells server, ports, user name and password, whatever the Host field says."""
        reply = await self.ask("/", Host="evil.example")
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertNotIn("evil.example", reply.text)
        text = re.sub(r"\s+", " ", Reading(reply.text).text)
        for said in (HOST, "993 with SSL/TLS", "143 with STARTTLS", "IMAP token", "iPhone", "Android", "Outlook"):
            self.assertIn(said, text)
        self.assertIn(BOTH.name, text)
        self.assertIn("Example &amp; Söhne &lt;Mail&gt;", reply.text)

    async def test_without_scripts(self) -> None:
        """There is no script, no style in it, and nothing from elsewhere; its own style is served."""
        found = Reading((await self.ask("/")).text)
        self.assertFalse(found.all("script"))
        self.assertFalse(found.all("style"))
        for _, attributes in found.elements:
            self.assertFalse([name for name in attributes if name.startswith("on") or name == "style"])
            for name in ("href", "src", "action"):
                self.assertNotRegex(attributes.get(name) or "", r"^(?:[a-z]+:|//)")
        (link,) = found.all("link")
        style = await self.ask(link["href"] or "")
        self.assertEqual((style.status, style.headers["content-type"]), (200, "text/css; charset=utf-8"))
        self.assertIn("prefers-color-scheme: dark", style.text)

    async def test_accessible(self) -> None:
        """Language, viewport, one main heading, none left out below, labels for inputs, targets for anchors."""
        found = Reading((await self.ask("/")).text)
        self.assertEqual(found.all("html")[0]["lang"], "en")
        self.assertIn("width=device-width", str([each.get("content") for each in found.all("meta")]))
        levels = [int(name[1]) for name, _ in found.elements if re.fullmatch("h[1-6]", name)]
        self.assertEqual(levels.count(1), 1)
        self.assertTrue(all(below - above <= 1 for above, below in pairwise(levels)))
        labelled = {each["for"] for each in found.all("label")}
        self.assertEqual({each["id"] for each in found.all("input")}, labelled)
        ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
        self.assertEqual(len(ids), len(set(ids)))
        anchors = {str(each["href"])[1:] for each in found.all("a") if str(each["href"]).startswith("#")}
        self.assertLessEqual(anchors, set(ids))
        titles = {attributes["aria-labelledby"] for _, attributes in found.elements if "aria-labelledby" in attributes}
        self.assertLessEqual(titles, set(ids))

    async def test_head_and_unknown(self) -> None:
        """HEAD is answered without a body; what is not there is not found, and not repeated."""
        head = await self.ask("/", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        missing = await self.ask("/%3Cscript%3Ealert(1)%3C/script%3E")
        self.assertEqual(missing.status, 404)
        self.assertNotIn(b"alert", missing.body)
        self.assertEqual((await self.ask("/metrics")).status, 404)

    def test_one_port(self) -> None:
        """With STARTTLS alone nothing is said of another port."""
        text = Reading(page(ClientSettings(HOST, HOST, (ServerChoice(143, True),))).decode()).text
        self.assertNotIn("993", text)
        self.assertNotIn("if the other is blocked", text)


class ServedTests(TestCase):
    """As a part of the server."""

    async def test_two_ports(self) -> None:
        """What is for the operator and what is for everybody are on ports of their own."""
        http = "tcp:0:interface=127.0.0.1"
        self.patch(service_module, "_say", lambda stream, line: None)
        service = await started(self, http=http, public_http=http, public_host=HOST)
        operator, public = (port.getHost().port for port in service._web.ports)  # type: ignore[attr-defined]
        self.assertEqual((await asked(public, "/")).status, 200)
        self.assertEqual((await asked(public, "/metrics")).status, 404)
        self.assertEqual((await asked(public, "/readyz")).status, 404)
        self.assertEqual((await asked(operator, "/metrics")).status, 200)
        self.assertEqual((await asked(operator, "/")).status, 404)
