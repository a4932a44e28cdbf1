"""What Salesforce understands as an answer to an outbound message: an Ack, or a fault, after which it sends the message again."""

from xml.sax.saxutils import escape

from starlette.responses import Response

_ENVELOPE = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)
_ACK = _ENVELOPE.format(
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
)
_FAULT = "<soapenv:Fault><faultcode>soapenv:{}</faultcode><faultstring>{}</faultstring></soapenv:Fault>"
_MEDIA_TYPE = "text/xml"


def ack() -> Response:
    """One for the whole message: every notification in it is stored. Source: the outbound messaging WSDL."""
    return Response(_ACK, 200, media_type=_MEDIA_TYPE)


def fault(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A SOAP 1.1 fault: `Client` where the message has to change, `Server` where it has only to be sent again."""
    words = "".join(character if character.isprintable() else " " for character in detail)
    body = _ENVELOPE.format(_FAULT.format("Client" if status < 500 else "Server", escape(words)))
    return Response(body, status, headers, media_type=_MEDIA_TYPE)
