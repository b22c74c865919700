"""A pipeline of two nodes: fit a classifier, and evaluate it."""

from kedro.pipeline import node, pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler


def fit(iris, test_share, C, degree):  # noqa: N803  scikit-learn's name
    x, x_test, y, y_test = train_test_split(*iris, test_size=test_share, random_state=0)
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(degree), LogisticRegression(C=C, max_iter=10_000)
    )
    return model.fit(x, y), (x_test, y_test)


def evaluate(model, test):
    x, y = test
    return {
        "log_loss": float(log_loss(y, model.predict_proba(x))),
        "accuracy": float(accuracy_score(y, model.predict(x))),
    }


def register_pipelines():
    parameters = ["params:test_share", "params:model.C", "params:model.degree"]
    fitting = node(fit, ["iris", *parameters], ["model", "test"])
    return {"__default__": pipeline([fitting, node(evaluate, ["model", "test"], "metrics")])}
