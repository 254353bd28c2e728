// Part of gfpq (integrations/caffe), BSD-2-Clause.
#ifndef CAFFE_QUANT_LAYER_HPP_
#define CAFFE_QUANT_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/layers/neuron_layer.hpp"
#include "caffe/proto/caffe.pb.h"
#include "gfpq.hpp"

namespace caffe {

/**
 * @brief Quantizes and dequantizes its input as HiSilicon's NNIE does (GFPQ):
 *     each number becomes the nearest one that the chip holds.
 *
 * The range is found at the first pass in the TRAIN phase, widened by further
 * ones, and applied as it is in the TEST phase. In TEST with no range yet, each
 * batch's own is used, with a warning: Caffe's solver tests before it trains.
 *
 * The layer's one blob carries the range into snapshots and test nets. It has
 * 17 numbers: the 16 bytes of GFPQ_PARAM_ST::buf (zeros: none yet), each as a
 * number from 0 to 255, which any float holds exactly; and the bit width that
 * they are for. Its learning rate is 0.
 *
 * The gradient passes straight through. Works in place.
 */
template <typename Dtype>
class QuantLayer : public NeuronLayer<Dtype> {
 public:
  /// @param param provides QuantParameter quant_param.
  explicit QuantLayer(const LayerParameter& param)
      : NeuronLayer<Dtype>(param), warned_(false) {}
  virtual void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                          const vector<Blob<Dtype>*>& top);

  virtual inline const char* type() const { return "Quant"; }

 protected:
  virtual void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                           const vector<Blob<Dtype>*>& top);
  virtual void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                           const vector<Blob<Dtype>*>& top);
  virtual void Backward_cpu(const vector<Blob<Dtype>*>& top,
                            const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom);
  virtual void Backward_gpu(const vector<Blob<Dtype>*>& top,
                            const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom);

  /// Reads the blob and sets the mode of this pass. Returns param, or NULL
  /// where the batch's own range is to be used.
  GFPQ_PARAM_ST* ReadRange(GFPQ_PARAM_ST* param);
  /// Stores what the call has found, unless it was only applied.
  void WriteRange(const GFPQ_PARAM_ST* param);
  /// Ends the program where the library's call has failed.
  void CheckStatus(int status, const char* function) const;

  unsigned int bits_;
  bool enabled_;
  bool warned_;
};

}  // namespace caffe

#endif  // CAFFE_QUANT_LAYER_HPP_
