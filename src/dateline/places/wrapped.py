"""Addresses that stand for others: archives, caches, translators, redirects and link shorteners.

The publisher of `https://web.archive.org/web/2022/https://www.cbc.ca/news` is in the address; that of `https://bit.ly/x`
is not. Nothing is fetched, so a shortened link has no place, and no suffix tells where its target is.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote

from dateline.places.url import UrlParts, parse_url

ARCHIVES = frozenset((
    "archive.org archive.today archive.ph archive.is archive.li archive.fo archive.md archive.vn archive-it.org arquivo.pt "
    "webarchive.org.uk vefsafn.is webharvest.gov webcitation.org ghostarchive.org perma.cc mementoweb.org wikiwix.com "
    "freezepage.com megalodon.jp ampproject.org bing-amp.com googleusercontent.com bingj.com 12ft.io 1ft.io outline.com "
    "removepaywall.com removepaywalls.com smry.ai txtify.it translate.goog microsofttranslator.com translatetheweb.com"
).split())  # fmt: skip
"""Registered domains that hold nothing but copies of other sites' pages: archives, caches, readers, translators."""

WRAPPERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ARCHIVES, ("url", "q", "u", "a", "term")),
    # pages of their own, and archives, readers or filters beside them
    "nationalarchives.gov.uk": (), "loc.gov": (), "nla.gov.au": (), "stanford.edu": (), "cloudflare.com": (),
    "jina.ai": ("url",), "getpocket.com": ("url",), "instapaper.com": ("u", "url"), "outlook.com": ("url",),
    "urldefense.com": ("u",), "proofpoint.com": ("u",), "cudasvc.com": ("a",),
    # what leads on from social networks, searches and feeds
    "facebook.com": ("u", "href"), "instagram.com": ("u",), "linkedin.com": ("url",), "twitter.com": ("url",),
    "x.com": ("url",), "youtube.com": ("q",), "reddit.com": ("url",), "umblr.com": ("z",), "tumblr.com": ("z",),
    "vk.com": ("to",), "t.me": ("url",), "slack-redir.net": ("url",), "disq.us": ("url",), "flipboard.com": ("url",),
    "pinterest.com": ("url",), "duckduckgo.com": ("uddg",), "bing.com": ("url", "u"), "anon.to": (), "href.li": (),
    "nullrefer.com": (), "feedsportal.com": (),
}  # fmt: skip
"""Registered domain -> parameters of a query that hold the address of another page; a path may hold one, too."""

SHORTENERS = frozenset((
    # for everyone
    "0.gp 1drv.ms 2.gp 2.ht 2u.pw 3.ly 4.gp 4.ly 4sq.com 5.gp 6.gp 7.ly 8.ly a.co adf.ly adfoc.us aka.ms al.ly "
    "amzn.eu amzn.to any.gs app.link ay.gy b.link b23.tv bc.vc bfy.tw binged.it bit.do bit.ly bitly.com bitly.is "
    "bl.ink bom.so budurl.com buff.ly ceesty.com clck.ru cli.gs cli.re clicky.me clk.sh conta.cc cort.as cutt.ly "
    "cutt.us da.gd db.tt deck.ly disq.us dlvr.it dub.sh eepurl.com exe.io ezstat.ru fav.me fb.me fb.watch "
    "feedburner.com feedsportal.com ff.im flic.kr flip.it forms.gle fur.ly fwd4.me g.co geni.us git.io goo.by goo.gl "
    "goo.gle goo.su grabify.link gtly.to han.gl ht.ly htl.li hub.am hubs.la hubs.li hubs.ly hyperurl.co ift.tt "
    "ilnk.io instagr.am inx.lv iplogger.org is.gd ity.im j.gs j.mp ja.cat kl.am kortlink.dk kutt.it l8r.it lc.chat "
    "lihi.cc lihi1.cc lin.ee linkd.in linktr.ee ln.is lnk.bio lnk.bz lnk.direct lnk.do lnk.sk lnk.to lnkd.in lnnk.in "
    "lnx.lu loom.ly lstu.fr lurl.cc m.me mcaf.ee merky.de migre.me mub.me myppt.cc mzl.la n9.cl nav.cx naver.me "
    "ouo.io ouo.press ow.ly owl.li owl.ly paper.li pin.it plu.sh po.st ppt.cc prf.hn psce.pw pse.is psee.io q.gs "
    "qps.ru qptr.ru qr.ae qr.net qrco.de rb.gy rdcu.be rebrand.ly redd.it relink.asia reurl.cc rlu.ru rotf.lol "
    "s.coop s.id s2r.co safl.it sh.st shar.es shor.by short.cm short.gy short.io shorte.st shorten.asia shorturl.ae "
    "shorturl.asia shorturl.at shorturl.gg shrt.li shrtco.de sina.lt skr.sk slidesha.re smarturl.it smq.tc smu.gs "
    "sn.cf snip.ly snipr.com snipurl.com snurl.com soo.gd spoti.fi spr.ly su.pr supr.cl supr.link surl.li swiy.co "
    "t.cn t.co t.ly t.tl t1p.de t2m.io ta.gd tidd.ly tinu.be tiny.cc tiny.ee tiny.ie tiny.one tiny.pl tinyium.com "
    "tinylink.net tinyurl.com tinyurl.hu tl.gd tlrk.it tny.cz tny.im tny.sh to.ly tr.ee tr.im trib.al trib.in "
    "turl.ca tweez.me twib.in u.bb u.nu u.to ul.to ulvis.net ur1.ca ur3.us url.cn url.ie url2.fr urlr.me urls.fr "
    "urls.kr urls.tn urlz.fr urlzs.com utm.to utn.pl ux9.de v.gd v.ht vk.cc vo.la vu.fr vur.me vzturl.com wa.me "
    "waa.ai wp.me x.co x.gd xfru.it xrl.us xurl.es y2u.be yadi.sk yal.su yip.su yourls.org yourwish.es youtu.be "
    "yun.ir zii.bz zpr.io zurl.co zurl.ir zurl.ws zws.im zzb.bz "
    # of one newsroom, platform or institution
    "1.usa.gov 53eig.ht 7news.link 7ny.tv 808ne.ws abc11.tv abc13.co abc30.tv abc7.la abc7.ws abc7ne.ws abcn.ws "
    "adweek.it aje.io al.st apne.ws arc.ht ars.to atfp.co atxne.ws avlne.ws azc.cc bayareane.ws bbc.in bcene.ws "
    "bfpne.ws blbrd.cm bloom.bg bo.st bos.gl brook.gs buswk.co bwnews.pr bzfd.it cbsloc.al cbsn.ws chn.ge chng.it "
    "cin.ci cityjourn.al cjky.it clvr.rocks cmu.is cna.asia cnb.cx cnet.co cnn.it cnnmon.ie cour.at crackm.ag cs.pn "
    "cultm.ac cyb.ec d-news.co dai.ly dailym.ai dailysign.al detne.ws di.sn dpo.st econ.st ed.gr edin.ac elle.re "
    "engt.co entm.ag epochtim.es es.pn etsy.me ewar.ren fal.cn fam.ag fxn.ws gaw.kr giz.mo gizmo.do glblctzn.co "
    "glblctzn.me glmr.co go.usa.gov goo.gle gq.mn grb.to grnh.se gtne.ws gu.com hill.cm hrld.us huff.to huffp.st "
    "ibm.biz icks.ro ind.pn indy.st insd.io interc.pt invent.ge itvty.com ja.ma jtim.es jwatch.us kck.st kkne.ws "
    "laco.st lat.ms lemde.fr livemu.sc lohud.us mnot.es mol.im msft.it mtr.cool n.pr nature.ly nbcbay.com nbcchi.com "
    "nbcct.co nbcnews.to nej.md njersy.co nkf.re ntck.co nws.mx nwsdy.li nydn.us nyer.cm nym.ag nyp.st nyr.kr "
    "nyti.ms nzzl.us ofa.bo on.fb.me onforb.es oran.ge owy.mn p4k.in pa.ag peoplem.ag pewrsr.ch "
    "pnsne.ws politi.co prn.to propub.li read.bi rebelne.ws redsto.ne refini.tv regmovi.es reut.rs ritea.id rol.st "
    "sabahdai.ly sbird.co sc.mp sdpbne.ws sdut.us selnd.com sfcne.ws sie.ag slate.me spcne.ws spon.de sprtsnt.ca "
    "st.news stjr.nl storycor.ps str.sg strib.mn stuf.in svy.mk tcrn.ch tdrt.io tdy.sg tgam.ca thatis.me theatln.tc "
    "thebea.st thedo.do thein.fo thesne.ws thetim.es thght.works thkpr.gs thr.cm ti.me tlmdo.co tmz.me tnne.ws "
    "tnsne.ws tnvge.co tnw.to toi.in tws.io txnne.ws u.pw ubm.io usat.ly usm.ag virg.in vntyfr.com vogue.cm vult.re "
    "wapo.st washex.am wb.md wbur.fm wcha.it wef.ch wh.gov wpo.st wrd.cm wtr.ie wtrne.ws xfin.tv yhoo.it zd.net"
).split())  # fmt: skip
"""Hosts that shorten links. What is behind one cannot be told; a suffix such as `.in` or `.rs` is half of a pun."""

EVERYWHERE = frozenset({"google", "yahoo"})
"""Portals under the suffixes of many countries; none of them says where a page comes from."""

MOST_LAYERS = 4
"""Wrappers around one another that are opened; more are built to be many."""

_ADDRESS = re.compile(r"https?(?::|%3a)(?:/|%2f)", re.IGNORECASE)
_TIME = re.compile(r"/(?:\d{4,14}|\*)(?:[a-z]{2}_)?/(?=[^/?#]*\.)")
_AMP = re.compile(r"/(?:[a-z]{1,2}/)?(?:s/)?(?=[^/?#]+\.[^/?#]+)")
_SEARCH_AMP = re.compile(r"/amp/(?:s/)?(?=[^/?#]+\.[^/?#]+)")
_CACHED = re.compile(r"cache:(?:[\w-]{12}:)?([^\s+]+)")
_GOOGLE_NEWS = re.compile(r"/articles/([\w-]{20,2000})")
_BYTES_OF_ADDRESS = re.compile(rb"https?://[\x21-\x7e]+")
_FEEDSPORTAL = {
    "0A": "0", "0B": ".", "0C": "/", "0D": "?", "0E": "-", "0F": "=", "0G": "&", "0H": ",", "0I": "_", "0J": "%",
    "0L": "http://", "0M": "https://", "0N": ".com", "0O": ".co.uk", "0S": "www.",
}  # fmt: skip
_CODED = re.compile("0[A-JL-OS]")


def unwrap(parts: UrlParts) -> tuple[UrlParts, str]:
    """Returns the innermost address inside another, and the host around it; the same address and nothing where none is.

    Example:
        >>> inner, wrapper = unwrap(parse_url("https://web.archive.org/web/2022id_/http://punchng.com/road"))
        >>> inner.domain, wrapper
        ('punchng.com', 'web.archive.org')
    """
    wrapper = ""
    for _ in range(MOST_LAYERS):
        if not is_wrapper(parts) or not (written := _inside(parts)):
            break
        inner = parse_url(written)
        if not inner.domain:
            break
        wrapper = wrapper or parts.host
        parts = inner
    return parts, wrapper


def is_wrapper(parts: UrlParts) -> bool:
    """Says whether an address may hold the address of another page."""
    return parts.domain in WRAPPERS or _label(parts) in EVERYWHERE


def stands_for_others(parts: UrlParts) -> str:
    """Returns what a site is that has only other sites' pages and no country (`a link shortener`), or nothing."""
    if parts.domain in SHORTENERS or parts.host in SHORTENERS:
        return "a link shortener"
    return "an archive or cache" if parts.domain in ARCHIVES else ""


def is_everywhere(parts: UrlParts) -> bool:
    """Says whether a site is one of the portals that stand under the suffixes of many countries."""
    return _label(parts) in EVERYWHERE


def _label(parts: UrlParts) -> str:
    return parts.domain.partition(".")[0]


def _inside(parts: UrlParts) -> str:
    """Returns the address that another holds, as it is written there, or nothing."""
    path, query = parts.path[:4000], parts.query[:4000]
    rest = f"?{query}" if query else ""
    if _label(parts) in ("google", "bing") and (found := _SEARCH_AMP.match(path)):
        return path[found.end() :] + rest
    if parts.domain in ("ampproject.org", "bing-amp.com") or parts.host.endswith("amp.cloudflare.com"):
        if found := _AMP.match(path):
            return path[found.end() :] + rest
        return _undashed(parts.subdomain.partition(".")[0]) + path + rest
    if parts.domain == "translate.goog":
        return _undashed(parts.subdomain) + path
    if parts.domain == "feedsportal.com":
        coded = next((step for step in path.split("/") if step.startswith(("0L", "0M"))), "")
        return _CODED.sub(lambda found: _FEEDSPORTAL[found[0]], coded)
    keys = WRAPPERS.get(parts.domain, ("url", "q", "u"))
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key.lower() not in keys:
            continue
        value = unquote(value)
        if found := _CACHED.match(value):
            return found[1]
        if parts.domain == "proofpoint.com":
            value = unquote(value.replace("-", "%").replace("_", "/"))
        if _ADDRESS.match(value):
            return value
    if found := _ADDRESS.search(path):
        return unquote(path[found.start() :]) if "%" in found[0] else path[found.start() :] + rest
    if _ADDRESS.match(query):
        return unquote(query)
    if parts.host == "news.google.com":
        return _of_google_news(path)
    return path[found.end() :] + rest if (found := _TIME.search(path)) and parts.domain in ARCHIVES else ""


def _undashed(label: str) -> str:
    """Returns the host of a label in which dots became dashes and dashes two: `www-irishtimes-com`."""
    return label.replace("--", "\0").replace("-", ".").replace("\0", "-")


def _of_google_news(path: str) -> str:
    """Returns the address that the links of Google News held until 2024, or nothing."""
    found = _GOOGLE_NEWS.search(path)
    try:
        held = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)) if found else b""
    except (binascii.Error, ValueError):
        return ""
    address = _BYTES_OF_ADDRESS.search(held)
    return address[0].decode("ascii") if address else ""
