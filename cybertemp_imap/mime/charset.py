"""Turning octets of a named character set into text, for any octets and any name.

Only codecs of a fixed list are ever looked up: names come from strangers, and Python also registers transformations
(``zlib``), quadratic codecs (``punycode``) and a cache that would keep every unknown name.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

_NAMES = """
    ascii latin_1 utf_8 utf_8_sig utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
    big5 big5hkscs gb2312 gbk gb18030 hz euc_jp euc_jis_2004 euc_jisx0213 euc_kr johab
    iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr
    shift_jis shift_jis_2004 shift_jisx0213 cp932 cp949 cp950
    iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11
    iso8859_13 iso8859_14 iso8859_15 iso8859_16 koi8_r koi8_t koi8_u kz1048 ptcp154 tis_620
    mac_roman mac_latin2 mac_cyrillic mac_greek mac_turkish mac_iceland
    cp037 cp437 cp500 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869
    cp874 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
"""
_ALLOWED = frozenset(_NAMES.split())

# What senders mean where the name says less: the WHATWG encoding standard reads these as their supersets.
_SUPERSETS = {
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "utf_8": "utf_8_sig",
}

_EXTRA = {
    "utf8mb4": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
    "iso_8859_8_i": "iso8859_8",
    "x_sjis": "cp932",
    "x_gbk": "gb18030",
    "cp_850": "cp850",
    "x_mac_roman": "mac_roman",
    "iso_8859_1": "latin_1",
}

_SEPARATORS = re.compile(r"[^a-z0-9]+")


def codec_for(name: bytes) -> str | None:
    """The Python codec for the charset called ``name`` in a message, or None where it is unknown or plain ASCII."""
    key = _SEPARATORS.sub("_", name[:64].decode("ascii", "replace").strip().lower()).strip("_")
    codec = _EXTRA.get(key) or aliases.get(key, key)
    if codec not in _ALLOWED or codec == "ascii":
        return None
    return _SUPERSETS.get(codec, codec)


def decode(data: bytes, name: bytes | None, cut: bool = False) -> str:
    """``data`` as text: by its charset, else as UTF-8 where it is valid, else as Windows-1252; never raises.

    The text holds no lone surrogates. ``cut`` says that the end of ``data`` may be missing.
    """
    codec = codec_for(name) if name else None
    if codec is not None:
        try:
            return without_surrogates(data.decode(codec, "replace"))
        except (UnicodeError, LookupError, ValueError, OverflowError):
            pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if cut and error.start >= len(data) - 3:
            return data.decode("utf-8", "replace")
        return data.decode("cp1252", "replace")


def without_surrogates(text: str) -> str:
    """``text`` with surrogate pairs made one character and lone ones replaced, so that it has a form in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
