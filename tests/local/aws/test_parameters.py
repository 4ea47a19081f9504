import subprocess
import sys

SCRIPT = """
import sys
from local.aws.server import AwsServer

server = AwsServer.start()
ssm = server.client("ssm")
ssm.put_parameter(Name="/days", Value="90", Type="String")
print(ssm.get_parameter(Name="/days")["Parameter"]["Value"], "moto.ec2" in sys.modules)

from moto.ssm import models
models.ec2_backends["123456789012"]
print("moto.ec2" in sys.modules)
server.stop()
"""


def test_loads_ec2_only_when_it_is_asked_for() -> None:
    # In a process of its own: another test of this one may have imported EC2.
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ran.stdout.splitlines(), ran.stderr) == (["90 False", "True"], "")
