"""Signatures of a release's sums with ssh-keygen: ``SHA256SUMS.sig`` says who vouches for every file.

Belongs here: signing and verifying bytes. Does not belong here: which file is signed or where the key is kept. The
key is a file named by the environment (GONGKAI_SIGNING_KEY); its content is never read here, only by ssh-keygen.

``ssh-keygen -Y verify`` needs a list of who may sign (allowed signers, see ssh-keygen(1)): one line per signer such as
``office@example.org namespaces="gongkai" ssh-ed25519 AAAA…``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

NAMESPACE = "gongkai"
SIGNATURE_SUFFIX = ".sig"
KEY_SETTING = "GONGKAI_SIGNING_KEY"
TIME_LIMIT = 30  # seconds; a key that asks for a passphrase never finishes without a person
_BEGIN = b"-----BEGIN SSH SIGNATURE-----"


class SignatureError(RuntimeError):
    """Signing or verifying was not possible; the text says what is missing and what to do."""


def signing_key(environment: Mapping[str, str] | None = None) -> Path | None:
    """The configured key file, None where none is configured. Raises SignatureError where it does not exist."""
    given = (os.environ if environment is None else environment).get(KEY_SETTING, "")
    if not given:
        return None
    path = Path(given)
    if not path.is_file():
        raise SignatureError(
            f"{KEY_SETTING} 指向的签名密钥文件不存在，请改正或取消该设置。"
            f"{KEY_SETTING} names a key file that does not exist; mend or unset it."
        )
    return path


def _tool() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        raise SignatureError(
            "没有找到 ssh-keygen，无法签名或验签；请安装 openssh-client。"
            "ssh-keygen was not found, so nothing can be signed or verified; install openssh-client."
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
            f"ssh-keygen 在 {TIME_LIMIT} 秒内没有完成。ssh-keygen did not finish within {TIME_LIMIT} seconds."
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
            f"签名失败（密钥有口令或不可读时也会如此）：{_reason(result)}。"
            f"Signing failed (also if the key has a passphrase or cannot be read): {_reason(result)}"
        )
    return result.stdout


def verify(data: bytes, signature: bytes, allowed_signers: Path) -> str:
    """Who signed ``data``: the signer's name in ``allowed_signers``.

    Raises SignatureError where the signature is not of these bytes, not of an allowed signer, or no signature.
    """
    if not signature.startswith(_BEGIN):
        raise SignatureError("签名文件不是 SSH 签名。The signature file holds no SSH signature.")
    if not allowed_signers.is_file():
        raise SignatureError("没有找到签名人名单（allowed signers）。The list of allowed signers does not exist.")
    with tempfile.TemporaryDirectory(prefix="gongkai-signature-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        found = _run(["-Y", "find-principals", "-s", str(file), "-f", str(allowed_signers)], b"")
        names = found.stdout.decode("utf-8", "replace").splitlines()
        if found.returncode or not names:
            raise SignatureError(f"签名人不在名单中：{_reason(found)}。The signer is not on the list: {_reason(found)}")
        for name in names:
            arguments = ["-Y", "verify", "-n", NAMESPACE, "-I", name, "-s", str(file), "-f", str(allowed_signers)]
            result = _run(arguments, data)
            if result.returncode == 0 and re.search(rb'^Good "gongkai" signature', result.stdout):
                return name
    raise SignatureError(
        f"签名与文件不符，文件可能被改动：{_reason(result)}。"
        f"The signature does not fit these bytes; they may have been changed: {_reason(result)}"
    )
