"""What a test may turn while the double runs. Unknown names and wrong types are refused."""

AWAY = ("", "refuse", "close", "hang")
PORTAL = ("", "html", "redirect")
# How lines of reports are spelt; README.md shows them.
REPORT_SHAPES = ("public", "error-object", "register-thing", "top-level")


class Settings:
    def __init__(self):
        # --- the endpoints ---
        self.away = ""  # refuse: nobody listens; close: at once; hang: no answer
        self.captive_portal = ""  # html: 200 with a page; redirect: 302 to a page
        self.untrusted_tls = False  # a certificate that the client cannot know
        self.clock_skew = 0.0  # seconds that the service's clock is ahead
        # The regions that there are; a scope of any other is refused.
        self.regions = ["eu-west-1", "eu-central-1", "us-east-1"]
        self.wrong_region = ""  # the endpoints belong to this region, whatever was meant
        self.proxy_login = ""  # user:password that the proxy asks for
        # --- the services ---
        self.session_seconds = 0  # length of all temporary credentials; 0: as asked for
        self.detach_seconds = 1.0  # until DetachThingPrincipal has taken effect
        self.empty_type = ""  # Content-Type of empty answers of S3: some gateways send text/html
        self.check_unsigned = True  # content-type and x-amz-* must be signed
        self.old_signing_name = False  # IoT takes execute-api too, as SDKs before 2023 sign
        # --- bulk registration ---
        self.bulk_lines_per_second = 0.0  # 0: as the throttles allow
        self.bulk_busy_code = "InvalidRequestException"  # the service's own is not documented
        self.bulk_bad_lines = []  # line numbers, from 1, that fail whatever they say
        self.bulk_bad_things = []  # ThingName of lines that fail in every task
        self.bulk_bad_code = ""  # what they fail with; empty: the resource cannot be registered
        self.bulk_first_line = 1  # what the reports call it; not documented
        self.bulk_bad_tasks = 0  # how many tasks have them; 0: all
        self.report_shape = "public"  # as a public file shows it
        self.report_url_seconds = 3600
        self.report_lines_per_link = 10000
        self.report_positions = True  # lineNumber and offset in the lines
        self.expired_reports = 0  # so many answers hold links that have expired

    def change(self, changes):
        for name, value in changes.items():
            if name not in self.__dict__:
                raise ValueError(f"no such setting: {name}")
            old = getattr(self, name)
            if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if type(value) is not type(old):
                raise ValueError(f"{name} is a {type(old).__name__}")
            if name == "away" and value not in AWAY:
                raise ValueError(f"away is one of {AWAY}")
            if name == "captive_portal" and value not in PORTAL:
                raise ValueError(f"captive_portal is one of {PORTAL}")
            if name == "report_shape" and value not in REPORT_SHAPES:
                raise ValueError(f"report_shape is one of {REPORT_SHAPES}")
            setattr(self, name, value)

    def table(self):
        return dict(self.__dict__)
