"""What schemathesis needs to know of the gateway: how a request is signed."""

import schemathesis

from eip712 import Signer

SIGNER = Signer()


@schemathesis.auth()
class Eip712:
    def get(self, case, context):
        return SIGNER

    def set(self, case, data, context):
        case.headers["Authorization"] = data.header(case.method, case.formatted_path)
