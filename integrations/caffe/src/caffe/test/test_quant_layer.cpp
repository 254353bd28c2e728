// Part of gfpq (integrations/caffe), BSD-2-Clause.
#include <algorithm>
#include <cmath>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/common.hpp"
#include "caffe/filler.hpp"
#include "caffe/layers/quant_layer.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "gtest/gtest.h"

namespace caffe {

template <typename TypeParam>
class QuantLayerTest : public MultiDeviceTest<TypeParam> {
  typedef typename TypeParam::Dtype Dtype;

 protected:
  QuantLayerTest()
      : bottom_(new Blob<Dtype>(2, 3, 4, 5)), top_(new Blob<Dtype>()) {
    FillerParameter filler_param;
    GaussianFiller<Dtype> filler(filler_param);
    filler.Fill(bottom_.get());
    bottoms_.push_back(bottom_.get());
    tops_.push_back(top_.get());
  }

  static LayerParameter Param(Phase phase, int bits = 8, bool enabled = true) {
    LayerParameter param;
    param.set_name("quant");
    param.set_type("Quant");
    param.set_phase(phase);
    param.mutable_quant_param()->set_quant_bits(bits);
    param.mutable_quant_param()->set_quant_en(enabled);
    return param;
  }

  void FillCounting(Dtype factor) {
    bottom_->Reshape(vector<int>(1, 10));
    for (int i = 0; i < 10; ++i) {
      bottom_->mutable_cpu_data()[i] = i * factor;
    }
  }

  static vector<Dtype> Data(const Blob<Dtype>& blob) {
    return vector<Dtype>(blob.cpu_data(), blob.cpu_data() + blob.count());
  }
  static vector<Dtype> Diff(const Blob<Dtype>& blob) {
    return vector<Dtype>(blob.cpu_diff(), blob.cpu_diff() + blob.count());
  }

  shared_ptr<Blob<Dtype> > bottom_;
  shared_ptr<Blob<Dtype> > top_;
  vector<Blob<Dtype>*> bottoms_;
  vector<Blob<Dtype>*> tops_;
};

TYPED_TEST_CASE(QuantLayerTest, TestDtypesAndDevices);

// What the guide's sample prints: ten values, and GFPQ PARAM.
TYPED_TEST(QuantLayerTest, TestGuideSample) {
  typedef typename TypeParam::Dtype Dtype;
  const Dtype expected[] = {0,
                            1,
                            2,
                            2.9536523819,
                            4,
                            4.9674310684,
                            5.9073047638,
                            7.0250086784,
                            8,
                            8.7240619659};
  const int block[] = {0x60,  0x62,  -0x7e, 0x69,  -0x4d, -0x1, -0x1,  -0x1,
                       -0x3b, -0x39, 0x27,  -0x34, 0x3a,  0x38, -0x28, 0x33};
  this->FillCounting(1);
  QuantLayer<Dtype> layer(this->Param(TRAIN));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NEAR(expected[i], this->top_->cpu_data()[i], 1e-6);
    EXPECT_EQ(i, this->bottom_->cpu_data()[i]);
  }
  ASSERT_EQ(1, layer.blobs().size());
  ASSERT_EQ(17, layer.blobs()[0]->count());
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(block[i] & 0xff, layer.blobs()[0]->cpu_data()[i]);
  }
  EXPECT_EQ(8, layer.blobs()[0]->cpu_data()[16]);
}

// The GPU gives the same numbers as the CPU.
TYPED_TEST(QuantLayerTest, TestAgreesWithLibrary) {
  typedef typename TypeParam::Dtype Dtype;
  for (int bits = 8; bits <= 16; bits += 8) {
    vector<Dtype> expected = this->Data(*this->bottom_);
    GFPQ_PARAM_ST param = {GFPQ_MODE_INIT, {}};
    ASSERT_EQ(GFPQ_SUCCESS, HI_GFPQ_QuantAndDeQuant(
                                &expected[0], expected.size(), bits, &param));
    QuantLayer<Dtype> layer(this->Param(TRAIN, bits));
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    EXPECT_EQ(expected, this->Data(*this->top_));
    for (int i = 0; i < GFPQ_PARAM_LEN; ++i) {
      EXPECT_EQ(param.buf[i], layer.blobs()[0]->cpu_data()[i]);
    }
  }
}

TYPED_TEST(QuantLayerTest, TestPhases) {
  typedef typename TypeParam::Dtype Dtype;
  QuantLayer<Dtype> train(this->Param(TRAIN));
  QuantLayer<Dtype> test(this->Param(TEST));
  train.SetUp(this->bottoms_, this->tops_);
  test.SetUp(this->bottoms_, this->tops_);
  test.blobs()[0]->ShareData(*train.blobs()[0]);

  this->FillCounting(1);
  train.Forward(this->bottoms_, this->tops_);
  const vector<Dtype> first = this->Data(*train.blobs()[0]);
  // A narrower batch leaves the range.
  this->FillCounting(0.5);
  train.Forward(this->bottoms_, this->tops_);
  EXPECT_EQ(first, this->Data(*train.blobs()[0]));
  // In TEST so does a wider one, which is cut.
  this->FillCounting(4);
  test.Forward(this->bottoms_, this->tops_);
  EXPECT_EQ(first, this->Data(*test.blobs()[0]));
  EXPECT_NEAR(8.7240619659, this->top_->cpu_data()[9], 1e-6);
  // In TRAIN it widens the range, for TEST too.
  train.Forward(this->bottoms_, this->tops_);
  EXPECT_NE(first, this->Data(*test.blobs()[0]));
  const Dtype largest = this->top_->cpu_data()[9];
  EXPECT_NEAR(4 * 8.7240619659, largest, 1e-5);
  test.Forward(this->bottoms_, this->tops_);
  EXPECT_EQ(largest, this->top_->cpu_data()[9]);
}

TYPED_TEST(QuantLayerTest, TestWithoutRange) {
  typedef typename TypeParam::Dtype Dtype;
  this->FillCounting(1);
  QuantLayer<Dtype> layer(this->Param(TEST));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  EXPECT_NEAR(8.7240619659, this->top_->cpu_data()[9], 1e-6);
  EXPECT_EQ(vector<Dtype>(17, 0), this->Data(*layer.blobs()[0]));
}

TYPED_TEST(QuantLayerTest, TestEmptyBatch) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_->Reshape(vector<int>(1, 0));
  QuantLayer<Dtype> layer(this->Param(TRAIN));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  EXPECT_EQ(vector<Dtype>(17, 0), this->Data(*layer.blobs()[0]));
}

TYPED_TEST(QuantLayerTest, TestInPlace) {
  typedef typename TypeParam::Dtype Dtype;
  for (int bits = 8; bits <= 16; bits += 8) {
    QuantLayer<Dtype> layer(this->Param(TRAIN, bits));
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    const vector<Dtype> expected = this->Data(*this->top_);
    EXPECT_NE(this->Data(*this->bottom_), expected);

    QuantLayer<Dtype> in_place(this->Param(TRAIN, bits));
    Blob<Dtype> blob;
    blob.CopyFrom(*this->bottom_, false, true);
    const vector<Blob<Dtype>*> both(1, &blob);
    in_place.SetUp(both, both);
    in_place.Forward(both, both);
    EXPECT_EQ(expected, this->Data(blob));

    caffe_copy(blob.count(), this->bottom_->cpu_data(),
               blob.mutable_cpu_diff());
    in_place.Backward(both, vector<bool>(1, true), both);
    EXPECT_EQ(this->Data(*this->bottom_), this->Diff(blob));
  }
}

TYPED_TEST(QuantLayerTest, TestDisabled) {
  typedef typename TypeParam::Dtype Dtype;
  QuantLayer<Dtype> layer(this->Param(TRAIN, 8, false));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  EXPECT_EQ(this->Data(*this->bottom_), this->Data(*this->top_));
  EXPECT_EQ(vector<Dtype>(17, 0), this->Data(*layer.blobs()[0]));
}

TYPED_TEST(QuantLayerTest, TestSerialization) {
  typedef typename TypeParam::Dtype Dtype;
  QuantLayer<Dtype> layer(this->Param(TRAIN));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  const vector<Dtype> range = this->Data(*layer.blobs()[0]);
  LayerParameter saved;
  layer.ToProto(&saved);
  EXPECT_EQ(0, saved.param(0).lr_mult());
  EXPECT_EQ(0, saved.param(0).decay_mult());
  saved.set_phase(TEST);
  QuantLayer<Dtype> loaded(saved);
  loaded.SetUp(this->bottoms_, this->tops_);
  EXPECT_EQ(range, this->Data(*loaded.blobs()[0]));
}

TYPED_TEST(QuantLayerTest, TestGradientPassesThrough) {
  typedef typename TypeParam::Dtype Dtype;
  QuantLayer<Dtype> layer(this->Param(TRAIN));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  const vector<Dtype> range = this->Data(*layer.blobs()[0]);
  caffe_copy(this->top_->count(), this->bottom_->cpu_data(),
             this->top_->mutable_cpu_diff());
  caffe_set(this->bottom_->count(), Dtype(7),
            this->bottom_->mutable_cpu_diff());
  layer.Backward(this->tops_, vector<bool>(1, false), this->bottoms_);
  EXPECT_EQ(vector<Dtype>(this->bottom_->count(), 7),
            this->Diff(*this->bottom_));
  layer.Backward(this->tops_, vector<bool>(1, true), this->bottoms_);
  EXPECT_EQ(this->Data(*this->bottom_), this->Diff(*this->bottom_));
  EXPECT_EQ(vector<Dtype>(17, 0), this->Diff(*layer.blobs()[0]));
  EXPECT_EQ(range, this->Data(*layer.blobs()[0]));
}

// The staircase has slope 0 nearly everywhere. Over many steps its slope is 1,
// and that is the gradient which Backward passes on.
TYPED_TEST(QuantLayerTest, TestGradientOverManySteps) {
  typedef typename TypeParam::Dtype Dtype;
  const Dtype step = 1;
  caffe_set(this->bottom_->count(), Dtype(8),
            this->bottom_->mutable_cpu_data());
  QuantLayer<Dtype> train(this->Param(TRAIN, 16));
  train.SetUp(this->bottoms_, this->tops_);
  train.Forward(this->bottoms_, this->tops_);  // The range: up to 8.
  QuantLayer<Dtype> layer(this->Param(TEST, 16));
  layer.SetUp(this->bottoms_, this->tops_);
  layer.blobs()[0]->ShareData(*train.blobs()[0]);

  caffe_rng_uniform<Dtype>(this->bottom_->count(), 2, 4,
                           this->bottom_->mutable_cpu_data());
  const vector<Dtype> x = this->Data(*this->bottom_);
  vector<Dtype> slope(x.size(), 0);
  for (int sign = -1; sign <= 1; sign += 2) {
    for (size_t i = 0; i < x.size(); ++i) {
      this->bottom_->mutable_cpu_data()[i] = x[i] + sign * step;
    }
    layer.Forward(this->bottoms_, this->tops_);
    for (size_t i = 0; i < x.size(); ++i) {
      slope[i] += sign * this->top_->cpu_data()[i] / (2 * step);
    }
  }
  caffe_set(this->top_->count(), Dtype(1), this->top_->mutable_cpu_diff());
  layer.Backward(this->tops_, vector<bool>(1, true), this->bottoms_);
  for (size_t i = 0; i < x.size(); ++i) {
    // Each end is off by half a step of 1/128 octave at most.
    EXPECT_NEAR(slope[i], this->bottom_->cpu_diff()[i], 0.014);
  }
}

// Where nothing is quantized, Caffe's own check holds.
TYPED_TEST(QuantLayerTest, TestGradientDisabled) {
  typedef typename TypeParam::Dtype Dtype;
  QuantLayer<Dtype> layer(this->Param(TRAIN, 8, false));
  GradientChecker<Dtype> checker(1e-2, 1e-3);
  checker.CheckGradientExhaustive(&layer, this->bottoms_, this->tops_);
}

}  // namespace caffe
