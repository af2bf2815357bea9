"""An application that serves nobody without Countersign's signed word for it: `python3 application.py` beside any of the
proxies' examples. Needs PyJWT 2 with cryptography (Debian: python3-jwt, python3-cryptography).

ISSUER is the origin of the control host, RESOURCE the id of this application there, KEYS where the keys are fetched, if
that is another address."""

import json
import os
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER = os.environ.get("ISSUER", "http://countersign.localhost:8080")
RESOURCE = os.environ.get("RESOURCE", "app")
KEYS = os.environ.get("KEYS", ISSUER)
PORT = int(os.environ.get("PORT", "3000"))

known, fetched = {}, -60.0


def key(kid):
    """The key of that name. One that is not known is asked for, at most once a minute: names cost an attacker nothing."""
    global known, fetched
    if kid not in known and time.monotonic() - fetched >= 60:
        request = urllib.request.Request(KEYS + "/.well-known/jwks.json", headers={"Host": ISSUER.split("://")[1]})
        with urllib.request.urlopen(request, timeout=5) as answer:
            known = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(json.load(answer)).keys}
        fetched = time.monotonic()
    return known[kid]


def who(headers):
    """The subject that Countersign vouches for, or an exception: for an absent word too, and for two."""
    tokens = headers.get_all("Countersign-Assertion") or []
    if len(tokens) != 1:
        raise PermissionError("no assertion, or several")
    token = tokens[0]
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "countersign-assertion+jwt":
        raise PermissionError("not an assertion")
    claims = jwt.decode(token, key(header.get("kid")), algorithms=["EdDSA"], issuer=ISSUER, audience=RESOURCE,
                        options={"require": ["exp", "iat", "sub"]})
    return claims["sub"]


class Application(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, f"Hello {who(self.headers)}\n"
        except Exception as error:
            status, text = 403, f"Not without Countersign's word: {error}\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Application)
    print(server.server_address[1], flush=True)
    server.serve_forever()
