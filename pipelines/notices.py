"""Notices: what is said to the people who answer for a region's data, and how it is sent.

Belongs here: the words (Chinese first), sending them to a web address as JSON or by e-mail in bounded time, and
remembering what was said so that nothing is said twice. Does not belong here: when a notice is due (assets/).

A notice that cannot be sent is a Delivery with a problem, never an exception: it must not disturb the work it tells
of. Problems name the server, never an address in full (it may hold a token), a user or a password.

The JSON that is posted: ``id`` (the same notice has the same), ``kind``, ``region``, ``year``, ``title_zh``,
``title_en``, ``items`` (the bodies concerned), ``msgtype`` "text" and ``text.content``, the whole as plain text.
"""

from __future__ import annotations

import datetime
import http.client
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from pipelines.settings import Settings, declared
from pipelines.storage import Place, place, sha256, write_atomic
from schemas.region import Region

Kind = Literal["deadline", "gate", "failure"]
MOST_ITEMS = 50
MOST_CHARACTERS = 200  # of one reason; the board has them whole
ATTEMPTS = 3
PAUSES = (0.5, 2.0)  # seconds before the second and the third attempt
SECONDS = 10.0  # one attempt, whatever the other side does
WARN_DAYS = (14, 7, 3, 1, 0)  # days before a deadline; afterwards every day
MISSING_STATUSES = {"missing": ("未报送", "missing"), "refused": ("未通过核查", "refused")}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice. ``items``: the bodies concerned; ``text``: everything as plain text, Chinese before English."""

    kind: Kind
    region: str
    year: int | None
    title_zh: str
    title_en: str
    text: str
    items: tuple[dict[str, str], ...] = ()


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a notice on one way (``webhook`` or ``email``); ``problem``: empty where it arrived."""

    way: Literal["webhook", "email"]
    problem_zh: str = ""
    problem_en: str = ""

    @property
    def sent(self) -> bool:
        """Whether the other side took it."""
        return not self.problem_zh

    def __str__(self) -> str:
        if self.sent:
            return f"{self.way}：已发送 / sent"
        return f"{self.way}：{self.problem_zh} / {self.problem_en}"


def _line(text: str) -> str:
    """``text`` on one line without control characters: names come from files and go into heads of messages."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}……"


def _listed(lines: Sequence[str]) -> str:
    shown = [f"- {line}" for line in lines[:MOST_ITEMS]]
    if len(lines) > MOST_ITEMS:
        more = len(lines) - MOST_ITEMS
        shown.append(f"……另有 {more} 个 / and {more} more")
    return "\n".join(shown)


def due_today(day: datetime.date, today: datetime.date, last: datetime.date) -> bool:
    """Whether a deadline ``day`` is spoken of today: 14, 7, 3, 1 days before, on the day, then daily up to ``last``."""
    left = (day - today).days
    return left in WARN_DAYS or (left < 0 and today <= last)


def _when(day: datetime.date, today: datetime.date) -> tuple[str, str]:
    """How far off a deadline is, Chinese and English."""
    left = (day - today).days
    if left > 0:
        return f"还有 {left} 天", f"{left} day(s) left"
    return ("今天截止", "due today") if left == 0 else (f"已逾期 {-left} 天", f"{-left} day(s) overdue")


def deadline_notice(
    region: Region, year: int, day: datetime.date, today: datetime.date, missing: Sequence[tuple[str, str, str]]
) -> Notice:
    """The bodies whose returns are missing: ``missing`` holds (code, name, status) in roster order, at least one."""
    chinese_when, english_when = _when(day, today)
    name = _line(region.settings.name_zh)
    title_zh = f"{name} {year} 年度：还有 {len(missing)} 个单位没有合格的报表（{day.isoformat()} 截止，{chinese_when}）"
    title_en = f"{_line(region.settings.name_en)} {year}: {len(missing)} return(s) missing (due {day}, {english_when})"
    lines, items = [], []
    for code, body, status in missing:
        chinese, english = MISSING_STATUSES.get(status, (status, status))
        lines.append(f"{_line(body)}（{code}）：{chinese} / {english}")
        items.append({"body": code, "name_zh": _line(body), "status": status})
    return Notice(
        kind="deadline",
        region=region.settings.code,
        year=year,
        title_zh=title_zh,
        title_en=title_en,
        text=f"{title_zh}\n{title_en}\n\n{_listed(lines)}\n",
        items=tuple(items),
    )


def report_notice(region: Region, year: int, day: datetime.date, today: datetime.date) -> Notice:
    """The county's own report is not released yet and its deadline nears or has passed."""
    chinese, english = _when(day, today)
    title_zh = f"{_line(region.settings.name_zh)} {year} 年度报告尚未发布（{day.isoformat()} 截止，{chinese}）"
    title_en = f"{_line(region.settings.name_en)} {year}: the report is not released (due {day}, {english})"
    return Notice(
        kind="deadline",
        region=region.settings.code,
        year=year,
        title_zh=title_zh,
        title_en=title_en,
        text=f"{title_zh}\n{title_en}\n",
    )


def gate_notice(
    region: Region, year: int, reasons: Sequence[tuple[str, str]], errors: Sequence[Mapping[str, object]]
) -> Notice:
    """The gate stopped publication. ``reasons``: (Chinese, English) of each check that does not pass; ``errors``: rows
    of the table ``findings`` with ``body`` and ``message_zh`` that still stand, in table order."""
    name = _line(region.settings.name_zh)
    by_body: dict[str, list[str]] = {}
    for row in errors:
        by_body.setdefault(str(row["body"] or ""), []).append(_line(str(row["message_zh"])))
    known = {body.code: body for body in region.bodies}
    lines, items = [], []
    for code, messages in by_body.items():
        body = known.get(code)
        shown = f"{_line(body.name_zh)}（{code}）" if body else code or "全县 / county"
        more = f"（另有 {len(messages) - 1} 处 / and {len(messages) - 1} more）" if len(messages) > 1 else ""
        lines.append(f"{shown}：{messages[0]}{more}")
        items.append({"body": code, "name_zh": _line(body.name_zh) if body else "", "errors": str(len(messages))})
    count = sum(bool(code) for code in by_body)
    title_zh = f"{name} {year} 年度：核查未通过，暂不能发布（涉及 {count} 个单位）"
    title_en = f"{_line(region.settings.name_en)} {year}: the gate stopped publication ({count} bodies concerned)"
    why = "\n".join(f"- {_short(chinese)} / {_short(english)}" for chinese, english in reasons)
    return Notice(
        kind="gate",
        region=region.settings.code,
        year=year,
        title_zh=title_zh,
        title_en=title_en,
        text=f"{title_zh}\n{title_en}\n\n{why}\n\n{_listed(lines)}\n",
        items=tuple(items),
    )


def failure_notice(job: str, partition: str, run: str, faults: Sequence[tuple[str, str]]) -> Notice:
    """A run failed. ``partition`` is ``region|year`` or empty; ``faults``: (step, what happened)."""
    region, _, year = partition.partition("|")
    of = f"（{region} {year}）" if region else ""
    title_zh = f"任务 {job}{of}运行失败，请在 Dagster 中查看"
    title_en = f"Run of {job}{f' ({region} {year})' if region else ''} failed; see Dagster"
    lines = [f"{step or job}：{_line(what)[:500]}" for step, what in faults]
    return Notice(
        kind="failure",
        region=region,
        year=int(year) if year.isdecimal() else None,
        title_zh=title_zh,
        title_en=title_en,
        text=f"{title_zh}\n{title_en}\n\n{_listed(lines)}\n\nrun {run}\n",
    )


def _bounded(work: Callable[[], None], seconds: float) -> None:
    """Do ``work`` and wait for it at most ``seconds``: a server that answers byte by byte must not hold anyone up."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - handed to the caller
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


class _RefusedError(Exception):
    """The server answered that it does not take the notice; ``again``: whether trying again may help."""

    def __init__(self, answer: str, again: bool) -> None:
        super().__init__(answer)
        self.again = again


def _identity(notice: Notice) -> str:
    return sha256(msgspec.json.encode(notice))[:16]


def _scrubbed(notice: Notice, settings: Settings) -> Notice:
    """The notice without any secret of the settings: the text of an error may hold one."""
    secrets = {str(getattr(settings, each.name)) for each in declared() if each.secret}
    secrets.add(_password(settings.postgres_url))

    def clean(text: str) -> str:
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    return msgspec.structs.replace(
        notice,
        title_zh=clean(notice.title_zh),
        title_en=clean(notice.title_en),
        text=clean(notice.text),
        items=tuple({name: clean(text) for name, text in item.items()} for item in notice.items),
    )


def _password(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""


def _payload(notice: Notice) -> bytes:
    # msgtype and text.content are what the group robots of WeCom and DingTalk read; they pass over the rest.
    fields = {"id": _identity(notice), **msgspec.structs.asdict(notice)}
    return msgspec.json.encode({**fields, "msgtype": "text", "text": {"content": notice.text}})


def _post(address: str, data: bytes, seconds: float) -> None:
    """One POST; redirects are not followed, so that the notice goes nowhere but to the address that was set."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=data, headers={"Content-Type": "application/json; charset=utf-8"})
        status = connection.getresponse().status
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise _RefusedError(f"HTTP {status}", status >= 500 or status in (408, 429))


def _mail(settings: Settings, notice: Notice, seconds: float) -> None:
    message = EmailMessage()
    message["Subject"] = notice.title_zh
    message["From"] = _line(settings.notice_email_from)
    receivers = [each.strip() for each in settings.notice_email_to.split(",") if each.strip()]
    message["To"] = ", ".join(receivers)
    message["Message-ID"] = f"<{_identity(notice)}@gongkai.invalid>"  # a second attempt is the same message
    message.set_content(notice.text)
    host, port = settings.smtp_host, settings.smtp_port
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
        if settings.smtp_security == "tls"
        else smtplib.SMTP(host, port, timeout=seconds)
    )
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        refused = server.send_message(message)
    if refused:
        raise _RefusedError(f"{len(refused)} of {len(receivers)} receivers refused", False)


def _what_happened(error: BaseException) -> tuple[str, str, bool]:
    """(Chinese, English, whether trying again may help) without anything that the settings hold."""
    if isinstance(error, _RefusedError):
        return f"对方未接收（{error}）", f"not taken ({error})", error.again
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "用户名或密码不对，请核对 smtp_user 和 GONGKAI_SMTP_PASSWORD", "user or password is wrong", False
    if isinstance(error, smtplib.SMTPResponseException):
        return (
            f"邮件服务器拒收（{error.smtp_code}）",
            f"refused by the server ({error.smtp_code})",
            error.smtp_code < 500,
        )
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "收件人都被拒收，请核对 notice_email_to", "all receivers were refused", False
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "邮件服务器不支持所设的加密或登录", "the server does not offer the security or login that is set", False
    if isinstance(error, ssl.SSLCertVerificationError):
        return "对方的证书无法验证", "its certificate cannot be verified", False
    if isinstance(error, TimeoutError):
        return "限时内没有回应", "no answer in time", True
    if isinstance(error, OSError | http.client.HTTPException):
        return f"连接不上（{type(error).__name__}）", f"cannot be reached ({type(error).__name__})", True
    return f"地址或内容有误（{type(error).__name__}）", f"address or content is wrong ({type(error).__name__})", False


def _try(
    way: Literal["webhook", "email"],
    host: str,
    work: Callable[[float], None],
    seconds: float,
    pause: Callable[[float], object],
) -> Delivery:
    chinese = english = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(PAUSES[attempt - 1])
        try:
            _bounded(lambda: work(seconds), seconds)
        except Exception as error:  # noqa: BLE001 - a notice never disturbs the work that it tells of
            chinese, english, again = _what_happened(error)
            if not again:
                break
        else:
            return Delivery(way=way)
    return Delivery(way=way, problem_zh=f"{host}：{chinese}", problem_en=f"{host}: {english}")


def send(
    notice: Notice,
    settings: Settings,
    *,
    seconds: float = SECONDS,
    pause: Callable[[float], object] = time.sleep,
) -> tuple[Delivery, ...]:
    """Send a notice on every way that the settings name; none: (). Never raises.

    Each way is tried up to ATTEMPTS times where that may help, each time for at most ``seconds``.
    """
    done = []
    notice = _scrubbed(notice, settings)
    if settings.notice_webhook:
        address, data = settings.notice_webhook, _payload(notice)
        host = urlsplit(address).hostname or "notice_webhook"
        done.append(_try("webhook", host, lambda limit: _post(address, data, limit), seconds, pause))
    if settings.notice_email_to:
        work: Callable[[float], None] = lambda limit: _mail(settings, notice, limit)  # noqa: E731
        done.append(_try("email", settings.smtp_host, work, seconds, pause))
    return tuple(done)


def _said_path(data: Place, region: str, year: int, topic: str) -> Place:
    return place(data) / "notices" / region / str(year) / f"{topic}.txt"


def last_said(data: Place, region: str, year: int, topic: str) -> str:
    """What ``say`` last remembered on a topic; "" for nothing. Raises OSError."""
    path = place(_said_path(data, region, year, topic))
    return path.read_text(encoding="utf-8") if path.exists() else ""


def remember(data: Place, region: str, year: int, topic: str, state: str) -> None:
    """Remember what was said on a topic (``DATA/notices/<region>/<year>/<topic>.txt``). Raises OSError."""
    write_atomic(_said_path(data, region, year, topic), state.encode())
