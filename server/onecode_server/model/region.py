"""Regions: the province-level divisions of GB/T 2260-2007, and the national authority above them."""

import re
from typing import Final

NATIONAL: Final = "000000"
"""The national authority: it signs adopters' codes and translations, and may publish status records on any subject."""

PROVINCES: Final = {
    "110000": "Beijing",
    "120000": "Tianjin",
    "130000": "Hebei",
    "140000": "Shanxi",
    "150000": "Inner Mongolia",
    "210000": "Liaoning",
    "220000": "Jilin",
    "230000": "Heilongjiang",
    "310000": "Shanghai",
    "320000": "Jiangsu",
    "330000": "Zhejiang",
    "340000": "Anhui",
    "350000": "Fujian",
    "360000": "Jiangxi",
    "370000": "Shandong",
    "410000": "Henan",
    "420000": "Hubei",
    "430000": "Hunan",
    "440000": "Guangdong",
    "450000": "Guangxi",
    "460000": "Hainan",
    "500000": "Chongqing",
    "510000": "Sichuan",
    "520000": "Guizhou",
    "530000": "Yunnan",
    "540000": "Tibet",
    "610000": "Shaanxi",
    "620000": "Gansu",
    "630000": "Qinghai",
    "640000": "Ningxia",
    "650000": "Xinjiang",
    "710000": "Taiwan",
    "810000": "Hong Kong",
    "820000": "Macao",
}
"""The 34 province-level divisions: GB/T 2260-2007 code to English name."""

_SIX_DIGITS = re.compile(r"[0-9]{6}\Z")


def is_region_code(text: str) -> bool:
    """Return whether ``text`` is six ASCII digits. Only the trust list tells whether such a region exists."""
    return _SIX_DIGITS.match(text) is not None
