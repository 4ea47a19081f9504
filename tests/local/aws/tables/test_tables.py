from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.responses import DynamoHandler

from local.aws import tables
from local.aws.server import AwsServer


def test_installing_again_changes_nothing(server: AwsServer) -> None:
    before = DynamoHandler.call_action, ConditionExpressionParser.parse

    tables.install()

    assert (DynamoHandler.call_action, ConditionExpressionParser.parse) == before
