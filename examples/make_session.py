"""Make a session of two people and print a link for each.

python examples/make_session.py http://localhost:8080 key.json
"""

import json
import pathlib
import sys
import time
import urllib.request

import jwt  # the package PyJWT

url, key_file = sys.argv[1:]
key = json.loads(pathlib.Path(key_file).read_text())
now = int(time.time())
claims = {"iss": key["id"], "aud": "teduh-api", "iat": now, "exp": now + 300}
wanted = {
    "mode": "video",
    "recording": "off",
    "participants": [{"role": "client", "name": "Sekar"}, {"role": "counselor", "name": "Bima"}],
    "max_minutes": 50,
}
headers = {"Authorization": "Bearer " + jwt.encode(claims, key["secret"]), "Content-Type": "application/json"}
request = urllib.request.Request(url + "/api/v1/sessions", json.dumps(wanted).encode(), headers)
with urllib.request.urlopen(request) as answer:
    for place in json.load(answer)["participants"]:
        print(place["role"], place["join_url"])
