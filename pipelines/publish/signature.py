"""Signatures of a release's sums with ssh-keygen: ``SHA256SUMS.sig`` says who vouches for every file.

Belongs here: signing and verifying bytes. Does not belong here: putting a signature into a release (release.py); which
key is used (the setting ``signing_key``), whose content is read by ssh-keygen alone.

The signature is the one file of a release that ``SHA256SUMS`` does not list, since it signs that list; a release may be
signed after it was published, and its id stays. A signature that stands is never replaced.

``ssh-keygen -Y verify`` needs a list of who may sign (allowed signers, see ssh-keygen(1)): one line per signer such as
``office@example.org namespaces="gongkai" ssh-ed25519 AAAA…``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from upath import UPath

from pipelines.publish.package import SIGNATURE

NAMESPACE = "gongkai"
TIME_LIMIT = 30  # seconds; a key that asks for a passphrase never finishes without a person
_BEGIN = b"-----BEGIN SSH SIGNATURE-----"


class SignatureError(RuntimeError):
    """Signing or verifying was not possible; ``chinese`` and ``english`` say what is missing and what to do."""

    def __init__(self, chinese: str, english: str) -> None:
        self.chinese, self.english = chinese, english
        super().__init__(f"{chinese} {english}")


def _tool() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        raise SignatureError(
            "没有找到 ssh-keygen，无法签名或验签；请安装 openssh-client。",
            "ssh-keygen was not found, so nothing can be signed or verified; install openssh-client.",
        )
    return found


def _run(arguments: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    # No agent, no terminal, no dialogue: the outcome depends on the key file alone and never waits for a person.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603 - fixed program, arguments never pass a shell
            [_tool(), *arguments],
            input=data,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
            env=environment,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise SignatureError(
            f"ssh-keygen 在 {TIME_LIMIT} 秒内没有完成。", f"ssh-keygen did not finish within {TIME_LIMIT} seconds."
        ) from None


def _reason(result: subprocess.CompletedProcess[bytes]) -> str:
    text = result.stderr.decode("utf-8", "replace").strip() or result.stdout.decode("utf-8", "replace").strip()
    return " ".join(text.split())[:300]


def sign(data: bytes, key_path: Path) -> bytes:
    """The armoured signature of ``data`` in the namespace ``gongkai``. With an Ed25519 or RSA key the bytes are stable.

    Raises SignatureError: no ssh-keygen, a key that does not exist or needs a passphrase.
    """
    result = _run(["-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key_path)], data)
    if result.returncode or not result.stdout.startswith(_BEGIN):
        raise SignatureError(
            f"签名失败（密钥有口令或不可读时也会如此）：{_reason(result)}。",
            f"Signing failed (also if the key has a passphrase or cannot be read): {_reason(result)}",
        )
    return result.stdout


def verify(data: bytes, signature: bytes, allowed_signers: Path) -> str:
    """Who signed ``data``: the signer's name in ``allowed_signers``.

    Raises SignatureError where the signature is not of these bytes, not of an allowed signer, or no signature.
    """
    if not signature.startswith(_BEGIN):
        raise SignatureError("签名文件不是 SSH 签名。", "The signature file holds no SSH signature.")
    if not allowed_signers.is_file():
        raise SignatureError("没有找到签名人名单（allowed signers）。", "The list of allowed signers does not exist.")
    with tempfile.TemporaryDirectory(prefix="gongkai-signature-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        found = _run(["-Y", "find-principals", "-s", str(file), "-f", str(allowed_signers)], b"")
        names = found.stdout.decode("utf-8", "replace").splitlines()
        if found.returncode or not names:
            why = _reason(found)
            raise SignatureError(f"签名人不在名单中：{why}。", f"The signer is not on the list: {why}")
        for name in names:
            arguments = ["-Y", "verify", "-n", NAMESPACE, "-I", name, "-s", str(file), "-f", str(allowed_signers)]
            result = _run(arguments, data)
            if result.returncode == 0 and re.search(rb'^Good "gongkai" signature', result.stdout):
                return name
    raise SignatureError(
        f"签名与文件不符，文件可能被改动：{_reason(result)}。",
        f"The signature does not fit these bytes; they may have been changed: {_reason(result)}",
    )


def is_signed(folder: UPath) -> bool:
    """Whether a release carries a signature."""
    return (folder / SIGNATURE).exists()


def signer(key: str) -> Callable[[bytes], bytes] | None:
    """What signs with the key of the setting ``signing_key``; None where none is set."""
    return partial(sign, key_path=Path(key)) if key else None
